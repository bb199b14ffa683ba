import { catalogue } from '../src/convert/catalogue';

/** What the exit code means; part of the help. */
export const conclusions = `Exit code:
  0  complete                 2  wrong usage, or a request that is not valid
  1  done, with differences   3  failed, cancelled, refused as things are, or not reachable
  130 after Ctrl-C; a migration on this machine then stands still until: keyferry resume <id>`;

/** The same of `doctor`. */
export const doctorConclusions = `Exit code:
  0  a copy can begin         2  wrong usage
  1  something is missing; it is named, with what to do`;

/** How secrets are treated; part of the help. */
export const secrets = `Passwords:
  Command lines can be read by everybody on a machine. Put an address with a password into a setting, in the
  environment or in local.settings.json, and give its name:
      REDIS_OLD='rediss://:password@old.example:6380' keyferry migrate --source OLD --target NEW
  Passwords are never written down. A migration on this machine keeps in its data folder (readable by you only) the
  names, hosts and ports of both sides, and a whole address only when it has no password: so resume needs --source
  and --target again where they were given with one, and no others than before are taken.
  With --endpoint only names are taken: those of the app's own settings.`;

/** The converters that there are; part of the help. */
export const converters = `Converters:
${catalogue.map(({ name, summary, example }) => `  ${name}\n      ${summary}\n      --convert '${example}'`).join('\n')}`;
