import { setTimeout } from 'node:timers/promises';
import type { ConvertContext, GroupOutcome } from '../../../../src/convert/converter';
import { SessionConverter } from '../../../../src/convert/aspnet-session/session-converter';
import type { SessionOptions, SessionServers } from '../../../../src/convert/aspnet-session/session-options';
import type { Command, RedisPort, Reply } from '../../../../src/redis/redis-port';
import { measureClockOffset } from '../../../tools/clock-offset';

export const options: SessionOptions = {
  converter: 'aspnet-session-v5',
  nativeTypes: true,
  applications: [],
  braceless: false,
  keepOld: true,
  onLocked: 'retry',
  force: false,
};
export const servers: SessionServers = {
  inPlace: false,
  follows: false,
  sourceAtOnce: 32,
  targetAtOnce: 32,
  memoryUsage: true,
};

/** What became of all keys that a converter claims. */
export interface Converted {
  readonly outcomes: GroupOutcome[];
  readonly plain: string[];
  readonly members: number;
  readonly skipped: number;
  readonly conflicts: number;
  readonly gone: number;
}

export interface Conversion {
  readonly options?: Partial<SessionOptions>;
  readonly servers?: Partial<SessionServers>;
  readonly naming?: (key: Buffer) => Buffer;
  readonly pause?: ConvertContext['pause'];
}

/** Nothing ends the work early. */
export const justWait: ConvertContext['pause'] = (ms) => setTimeout(ms);

/** Walks a database and converts what it holds, page by page. */
export async function convertAll(
  source: RedisPort,
  target: RedisPort,
  { options: changes, servers: abilities, naming, pause }: Conversion = {},
): Promise<Converted> {
  const converter = new SessionConverter({ ...options, ...changes }, { ...servers, ...abilities });
  const { targetMinusSource } = await measureClockOffset(source, target);
  const context: ConvertContext = {
    source: { kind: 'server', port: source },
    target,
    clockOffset: targetMinusSource,
    naming: naming ?? ((key) => key),
    pause: pause ?? justWait,
  };
  const sum: Converted = { outcomes: [], plain: [], members: 0, skipped: 0, conflicts: 0, gone: 0 };
  let cursor = '0';
  do {
    const [next, names] = (await source.call('SCAN', cursor, 'COUNT', '100')) as [Buffer, Buffer[]];
    cursor = next.toString();
    const gathered = await converter.gather(
      context.source,
      names.filter((name) => converter.claims(name)),
    );
    sum.plain.push(...gathered.plain.map((key) => key.toString('latin1')));
    sum.outcomes.push(...(await converter.write(gathered.groups, context)));
    Object.assign(sum, {
      members: sum.members + gathered.converted,
      skipped: sum.skipped + gathered.skipped,
      conflicts: sum.conflicts + gathered.conflicts,
      gone: sum.gone + gathered.gone,
    });
  } while (cursor !== '0');
  return sum;
}

/** How often each kind of outcome came, by its code where it failed. */
export function kinds({ outcomes }: Converted): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const kind = outcome.kind === 'failed' ? outcome.code : outcome.kind;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** A real connection with something done before or after each of the scripts that it runs. */
export function watched(
  port: RedisPort,
  around: {
    before?: (script: number, command: Command) => Promise<void> | void;
    after?: (script: number) => Promise<void> | void;
  },
): RedisPort {
  let scripts = 0;
  return {
    call: async (...command: Command): Promise<Reply> => {
      if (!command[0].startsWith('EVAL')) return await port.call(...command);
      const script = scripts++;
      await around.before?.(script, command);
      const reply = await port.call(...command);
      await around.after?.(script);
      return reply;
    },
    pipeline: (commands) => port.pipeline(commands),
  };
}
