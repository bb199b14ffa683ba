import type { Redis } from 'ioredis';
import { readCollection, writeCollection } from '../../../../src/convert/aspnet-session';
import type { Items } from './version4';

export interface ReadSession {
  readonly items: Items;
  readonly timeout: string | null;
  /** Remaining ms of the data and of the timeout; -1: none, -2: no key. */
  readonly ttl: number;
  readonly timeoutTtl: number;
}

export const dataName = (appId: string): string => `{${appId}}_SessionStateItemCollection`;
export const timeoutName = (appId: string): string => `{${appId}}_SessionTimeout`;

/** A session as version 5 finds it, for sessions of strings; undefined where there is none. */
export async function readVersion5(redis: Redis, appId: string): Promise<ReadSession | undefined> {
  const [data, timeout] = [dataName(appId), timeoutName(appId)];
  const replies = await redis.multi().getBuffer(data).get(timeout).pttl(data).pttl(timeout).exec();
  const [blob, text, ttl, timeoutTtl] = (replies ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
  if (!Buffer.isBuffer(blob)) return undefined;
  return {
    items: itemsOf(blob),
    timeout: typeof text === 'string' ? text : null,
    ttl: Number(ttl),
    timeoutTtl: Number(timeoutTtl),
  };
}

export function itemsOf(blob: Buffer): Items {
  return Object.fromEntries(
    readCollection(blob).items.map((item) => {
      const { name, payload } = item.read();
      return [String(name), payload.subarray(payload.length < 129 ? 1 : 2).toString()];
    }),
  );
}

/** Writes a session as version 5 does. */
export async function writeVersion5(redis: Redis, appId: string, items: Items, timeout: number): Promise<void> {
  const blob = writeCollection(
    Object.entries(items).map(([name, value]) => ({
      name: Buffer.from(name),
      typeCode: 1,
      payload: Buffer.concat([Buffer.of(value.length), Buffer.from(value)]),
    })),
  );
  await redis.eval(
    `redis.call('SET', KEYS[1], ARGV[1]) redis.call('EXPIRE', KEYS[1], ARGV[2])
     redis.call('SET', KEYS[2], ARGV[2]) redis.call('EXPIRE', KEYS[2], ARGV[2])`,
    2,
    dataName(appId),
    timeoutName(appId),
    blob,
    timeout,
  );
}

/** What version 5 does when it reads a session: both keys get their time anew. */
export async function touchVersion5(redis: Redis, appId: string): Promise<void> {
  await redis.eval(
    `local timeout = redis.call('GET', KEYS[2])
     redis.call('EXPIRE', KEYS[1], timeout) redis.call('EXPIRE', KEYS[2], timeout)`,
    2,
    dataName(appId),
    timeoutName(appId),
  );
}
