import type { Redis } from 'ioredis';

/** How an entry is set: when it ends, in ms since 1970, and how long it lives after each reading, in seconds. */
export interface Expirations {
  readonly at?: number;
  readonly slidingSeconds?: number;
}

/** Ticks of a moment, counted another way than the converter does: days since the year 1, and the rest of the day. */
export function ticksAt(ms: number): string {
  const day = Math.floor(ms / 86_400_000);
  return String((BigInt(day) + 719_162n) * 864_000_000_000n + BigInt(ms - day * 86_400_000) * 10_000n);
}

/** Sets an entry as RedisCache.SetAsync does: a hash of three fields, and EXPIRE with whole seconds. */
export async function setEntry(redis: Redis, key: string | Buffer, data: string | Buffer, to: Expirations = {}) {
  const { at, slidingSeconds } = to;
  const absolute = at === undefined ? '-1' : ticksAt(at);
  const sliding = slidingSeconds === undefined ? '-1' : String(slidingSeconds * 10_000_000);
  const lives = [
    ...(at === undefined ? [] : [Math.trunc((at - Date.now()) / 1_000)]),
    ...(slidingSeconds === undefined ? [] : [slidingSeconds]),
  ];
  await redis.hset(key, 'absexp', absolute, 'sldexp', sliding, 'data', data);
  if (lives.length > 0) await redis.expire(key, Math.min(...lives));
}

/** Gets an entry as RedisCache.GetAsync does, without refreshing it. Throws WRONGTYPE as it does. */
export async function getEntry(redis: Redis, key: string | Buffer) {
  const [absolute, sliding, data] = await redis.hmgetBuffer(key, 'absexp', 'sldexp', 'data');
  const number = (field: Buffer | null | undefined) => {
    const text = field?.toString();
    return text === undefined || text === '-1' ? undefined : BigInt(text);
  };
  return { absolute: number(absolute), sliding: number(sliding), data: data ?? undefined };
}
