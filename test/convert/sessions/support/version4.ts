import type { Redis } from 'ioredis';

const HEADER = Buffer.from('0001000000ffffffff0100000000000000', 'hex');

/** What BinaryFormatter writes for a string of less than 16,384 bytes. */
export function streamOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([HEADER, Buffer.from('0601000000', 'hex'), Buffer.of(...length), bytes, Buffer.of(0x0b)]);
}

export type Items = Readonly<Record<string, string>>;

/**
 * A session as the scripts of RedisSessionStateProvider 4.0.1 write it, step by step as they do. (Written after their
 * description; the scripts themselves are Microsoft's.)
 */
export class Version4Session {
  readonly data: string;
  readonly internal: string;
  readonly lock: string;

  constructor(
    private readonly redis: Redis,
    readonly appId: string,
    braced = true,
  ) {
    const start = braced ? `{${appId}}` : appId;
    [this.data, this.internal, this.lock] = [`${start}_Data`, `${start}_Internal`, `${start}_Write_Lock`];
  }

  async set(items: Items, timeout: number): Promise<void> {
    await this.redis.eval(
      `redis.call('HMSET', KEYS[1], unpack(ARGV, 2)) redis.call('EXPIRE', KEYS[1], ARGV[1])
       redis.call('HMSET', KEYS[2], 'SessionTimeout', ARGV[1]) redis.call('EXPIRE', KEYS[2], ARGV[1])`,
      2,
      this.data,
      this.internal,
      timeout,
      ...fieldsOf(items),
    );
  }

  /** The exclusive read. @returns whether the lock was won */
  async takeLock(ticks: string, requestTimeout = 110): Promise<boolean> {
    const won = await this.redis.eval(
      `local won = redis.call('SETNX', KEYS[1], ARGV[1])
       if won == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) redis.call('HGETALL', KEYS[2]) end
       local timeout = redis.call('HGET', KEYS[3], 'SessionTimeout')
       if timeout then redis.call('EXPIRE', KEYS[2], timeout) redis.call('EXPIRE', KEYS[3], timeout) end
       return won`,
      3,
      this.lock,
      this.data,
      this.internal,
      ticks,
      requestTimeout,
    );
    return won === 1;
  }

  /** Writes the changed items, drops the removed ones and lets go of the lock. */
  async update(ticks: string, changed: Items, removed: readonly string[], timeout: number): Promise<void> {
    await this.redis.eval(
      `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
       local removed = tonumber(ARGV[3])
       if removed > 0 then redis.call('HDEL', KEYS[2], unpack(ARGV, 4, 3 + removed)) end
       if #ARGV > 3 + removed then redis.call('HMSET', KEYS[2], unpack(ARGV, 4 + removed)) end
       redis.call('EXPIRE', KEYS[2], ARGV[2]) redis.call('HMSET', KEYS[3], 'SessionTimeout', ARGV[2])
       redis.call('EXPIRE', KEYS[3], ARGV[2]) redis.call('DEL', KEYS[1]) return 1`,
      3,
      this.lock,
      this.data,
      this.internal,
      ticks,
      timeout,
      removed.length,
      ...removed,
      ...fieldsOf(changed),
    );
  }

  async remove(): Promise<void> {
    await this.redis.eval(
      "redis.call('DEL', KEYS[1]) redis.call('DEL', KEYS[2]) redis.call('DEL', KEYS[3])",
      3,
      this.data,
      this.internal,
      this.lock,
    );
  }

  async touch(): Promise<void> {
    await this.redis.eval(
      `if redis.call('EXISTS', KEYS[1]) == 0 then return end
       local timeout = redis.call('HGET', KEYS[2], 'SessionTimeout')
       redis.call('EXPIRE', KEYS[1], timeout) redis.call('EXPIRE', KEYS[2], timeout)`,
      2,
      this.data,
      this.internal,
    );
  }
}

/** A lock's value: .NET ticks. */
export function ticksNow(): string {
  return String(621_355_968_000_000_000n + BigInt(Date.now()) * 10_000n);
}

function fieldsOf(items: Items): (string | Buffer)[] {
  return Object.entries(items).flatMap(([name, value]) => [name, streamOf(value)]);
}
