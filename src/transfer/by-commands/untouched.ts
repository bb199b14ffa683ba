import { infoField, infoNumber } from '../../redis/info';
import type { RedisPort, Reply } from '../../redis/redis-port';
import { timeInMs } from './expiry';

/** What a server tells of how much was written to it, at one moment. */
export interface WriteMark {
  /** The process that tells it; empty where it does not say. */
  readonly process: string;
  /** Its clock, ms. */
  readonly at: number;
  /** Changes since its last save. */
  readonly changes: number;
  /** When that was, ms. */
  readonly savedAt: number;
  /** Commands it has carried out since its start. */
  readonly commands: number;
}

/** Two saves within the same second cannot be told apart. */
const SAVE_MS = 2_000;

/**
 * Reads the mark of the server that has a key; undefined where it does not tell all of it. Throws the connection's error.
 * @param key leads to its node in a cluster
 */
export async function readWriteMark(port: RedisPort, key: Buffer): Promise<WriteMark | undefined> {
  const [time, server, persistence, stats] = await port.pipeline([
    ['TIME'],
    ['INFO', 'server'],
    ['INFO', 'persistence'],
    ['INFO', 'stats'],
    ['TYPE', key],
  ]);
  if (!Array.isArray(time)) return undefined;
  const numbers = {
    at: timeInMs(time),
    changes: numberIn(persistence, 'rdb_changes_since_last_save'),
    savedAt: numberIn(persistence, 'rdb_last_save_time') * 1_000,
    commands: numberIn(stats, 'total_commands_processed'),
  };
  if (!Object.values(numbers).every((value) => Number.isFinite(value))) return undefined;
  return { process: Buffer.isBuffer(server) ? (infoField(server.toString('latin1'), 'run_id') ?? '') : '', ...numbers };
}

/**
 * Whether surely nothing was written between two marks. Any write of any client moves the count of changes, a save sets it back.
 * None at all proves nothing (servers that only imitate the field say 0), nor do marks between which a server has not counted
 * our own commands: those may be remembered ones.
 */
export function isUntouched(before: WriteMark | undefined, after: WriteMark | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  return (
    before.process === after.process &&
    before.changes > 0 &&
    before.changes === after.changes &&
    before.savedAt === after.savedAt &&
    before.at - before.savedAt > SAVE_MS &&
    after.commands > before.commands
  );
}

function numberIn(reply: Reply | Error | undefined, field: string): number {
  return (Buffer.isBuffer(reply) ? infoNumber(reply.toString('latin1'), field) : undefined) ?? NaN;
}
