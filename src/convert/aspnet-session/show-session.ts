import type { RedisPort, Reply } from '../../redis/redis-port';
import { UnreadableValueError, type ShownValue } from '../about';
import { describeV4Session, describeV5Session, type SessionRow } from './describe';
import { FormatError } from './format-error';
import { classifySessionKey, v4KeyNames, v5KeyNames } from './keys';

/** One session for eyes. */
export interface ShownSession {
  readonly version: 4 | 5;
  readonly rows: readonly SessionRow[];
  /** Seconds as the provider stored them; null where it has not. */
  readonly timeoutSeconds: number | null;
  /** Remaining life in ms; null: none. */
  readonly remainingMs: number | null;
  readonly locked: boolean;
}

/**
 * Reads a session of either version, named by any of its keys. Undefined where there is none.
 * @throws FormatError when version 5's blob cannot be read at all; the server's error
 */
export async function showSession(port: RedisPort, key: Buffer): Promise<ShownSession | undefined> {
  const name = classifySessionKey(key, { braceless: true });
  if (name === undefined) return undefined;
  if (name.version === 5) {
    const { data, timeout, lock } = v5KeyNames(name.appId);
    const [blob, seconds, ttl, locked] = await readAll(port, [
      ['GET', data],
      ['GET', timeout],
      ['PTTL', data],
      ['EXISTS', lock],
    ]);
    if (!Buffer.isBuffer(blob)) return undefined;
    return { version: 5, rows: describeV5Session(blob), ...facts(seconds, ttl, locked) };
  }
  const { data, internal, lock } = v4KeyNames(name.appId, name.braced);
  const [flat, seconds, ttl, locked] = await readAll(port, [
    ['HGETALL', data],
    ['HGET', internal, 'SessionTimeout'],
    ['PTTL', data],
    ['EXISTS', lock],
  ]);
  if (!Array.isArray(flat) || flat.length === 0) return undefined;
  const fields: [Buffer, Buffer][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) fields.push([flat[i] as Buffer, flat[i + 1] as Buffer]);
  return { version: 4, rows: describeV4Session(fields), ...facts(seconds, ttl, locked) };
}

async function readAll(port: RedisPort, commands: Parameters<RedisPort['pipeline']>[0]): Promise<Reply[]> {
  const replies = await port.pipeline(commands);
  return replies.map((reply) => {
    if (reply instanceof Error) throw reply;
    return reply;
  });
}

function facts(seconds: Reply | undefined, ttl: Reply | undefined, locked: Reply | undefined) {
  const timeout = Buffer.isBuffer(seconds) ? Number(seconds.toString('latin1')) : Number.NaN;
  return {
    timeoutSeconds: Number.isFinite(timeout) ? timeout : null,
    remainingMs: typeof ttl === 'number' && ttl >= 0 ? ttl : null,
    locked: locked === 1,
  };
}

/** A session as a table. Undefined where there is none. @throws UnreadableValueError, the server's error */
export async function readShownSession(port: RedisPort, key: Buffer): Promise<ShownValue | undefined> {
  const shown = await showSession(port, key).catch((error: unknown) => {
    if (!(error instanceof FormatError)) throw error;
    throw new UnreadableValueError(`The session cannot be read: ${error.message}`);
  });
  if (shown === undefined) return undefined;
  const { version, rows, timeoutSeconds, remainingMs, locked } = shown;
  return {
    head: ['name', '.NET type', 'value'],
    rows: rows.map(({ name, type, value }) => [name, type, value]),
    facts: [
      `version ${version}`,
      `${rows.length} items`,
      timeoutSeconds === null ? 'no timeout stored' : `timeout ${timeoutSeconds} s`,
      remainingMs === null ? 'no expiry' : `expires in ${(remainingMs / 1_000).toFixed(0)} s`,
      ...(locked ? ['locked by a request'] : []),
    ],
    document: shown,
  };
}
