import { UsageError } from '../outcome';
import type { RememberedSide } from '../runs/run-folder';
import { noTarget, readGiven, readGivenFile, type GivenConnection, type Settings, type Side } from './given-connection';

/**
 * One side of a migration that is resumed: what the user gives now, else the remembered URL, else the settings.
 * @throws UsageError when it is not there, or leads to another server than before
 */
export function rememberedConnection(
  side: Side,
  given: string | undefined,
  known: RememberedSide,
  settings: Settings,
): GivenConnection {
  if (known.name === '') return noTarget;
  const connection =
    known.file === undefined
      ? readGivenServer(side, given, known, settings)
      : readGivenFile(side, known.given === 'address' ? { file: known.address } : { rdb: known.address }, settings);
  refuseOtherServers(side, connection, known);
  return connection;
}

function readGivenServer(
  side: Side,
  given: string | undefined,
  known: RememberedSide,
  settings: Settings,
): GivenConnection {
  return readGiven(side, given ?? known.url ?? knownName(side, known, settings), settings, known.name);
}

function knownName(side: Side, { name, address, given }: RememberedSide, settings: Settings): string {
  const setting = `REDIS_${name}`;
  const isSet = [setting, setting.toUpperCase()].some(
    (key) => settings[key] !== undefined || settings[`${key}__hostName`] !== undefined,
  );
  if (given === 'address' && !isSet) {
    throw new UsageError(
      `--${side} is needed again: the address of ${address} was given with a password, and passwords are not written down.`,
      [`Give it as before, or set ${setting}.`],
    );
  }
  return name;
}

/** @throws UsageError when the connection leads to another server than the migration was started with */
export function refuseOtherServers(side: Side, connection: GivenConnection, known: RememberedSide): void {
  if (connection.address === known.address) return;
  throw new UsageError(
    `--${side}: this migration was started with ${known.address}, not ${connection.address}. Start a new migration for another server.`,
  );
}
