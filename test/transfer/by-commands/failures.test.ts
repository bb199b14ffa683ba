import { randomBytes } from 'node:crypto';

import type { Command } from '../../../src/redis/redis-port';
import { copy, copyOver, leftovers, portOver, startSide, stopSide, watched, type Side } from './support';

let from: Side;
let to: Side;

beforeAll(async () => {
  [from, to] = await Promise.all([startSide('redis-8.0'), startSide('redis-6.0')]);
});
beforeEach(async () => {
  await to.client.config('SET', 'maxmemory', '0');
  await Promise.all([from.client.flushall(), to.client.flushall()]);
});
afterAll(async () => {
  await Promise.all([stopSide(from), stopSide(to)]);
});

const members = (count: number): string[] => Array.from({ length: count }, (_, at) => `member ${at}`);

async function fillStream(): Promise<void> {
  const pipeline = from.client.pipeline();
  for (let at = 1; at <= 1_000; at++) pipeline.xadd('key', `${at}-1`, 'f', 'some value');
  await pipeline.exec();
}

describe('refusals', () => {
  it('OOM of the target is thrown as it came, and nothing is left', async () => {
    await from.client.set('key', randomBytes(8_000_000));
    await to.client.config('SET', 'maxmemory-policy', 'noeviction');
    await to.client.config('SET', 'maxmemory', '5mb');
    await expect(copy(from, to, 'key', { chunkBytes: 100_000 })).rejects.toMatchObject({ kind: 'outOfMemory' });
    expect(await to.client.dbsize()).toBe(0);
  });

  it.each(['redis-7.0', 'redis-8.0', 'valkey-8.1'] as const)(
    'OOM of %s as well, which tells it otherwise',
    async (name) => {
      const other = await startSide(name);
      try {
        await from.client.hset('key', ...members(40_000).flatMap((member) => [member, randomBytes(200)]));
        await other.client.config('SET', 'maxmemory', '5mb');
        await expect(copy(from, other, 'key', { chunkBytes: 100_000 })).rejects.toMatchObject({ kind: 'outOfMemory' });
        expect(await other.client.dbsize()).toBe(0);
      } finally {
        await stopSide(other);
      }
    },
  );

  it('a lost connection is thrown', async () => {
    const other = await startSide('redis-6.0');
    try {
      await from.client.rpush('key', ...members(2_000));
      let writes = 0;
      const target = watched(other.port, async () => {
        if (++writes === 5) await other.server.kill();
      });
      await expect(copyOver(from, other, from.port, target, 'key', { chunkBytes: 1_000 })).rejects.toThrow(
        /onnection|max retries/,
      );
    } finally {
      await stopSide(other);
    }
  });

  it('no right to MEMORY USAGE or PEXPIRETIME does no harm', async () => {
    await from.client.call('ACL', 'SETUSER', 'reader', 'on', 'nopass', '~*', '+@all', '-memory', '-pexpiretime');
    const reader = from.client.duplicate({ username: 'reader', password: 'any' });
    await from.client.rpush('key', ...members(2_000));
    await from.client.pexpire('key', 100_000);
    const outcome = await copyOver(from, to, portOver(reader), to.port, 'key', { chunkBytes: 1_000 });
    reader.disconnect();
    expect(outcome).toMatchObject({ kind: 'copied' });
    expect(await to.client.llen('key')).toBe(2_000);
    expect(Math.abs((await to.client.pttl('key')) - (await from.client.pttl('key')))).toBeLessThanOrEqual(10);
  });

  it('no right to set the expiry is thrown, and no key stays that would vanish later', async () => {
    await to.client.call('ACL', 'SETUSER', 'writer', 'on', 'nopass', '~*', '+@all', '-persist');
    const writer = to.client.duplicate({ username: 'writer', password: 'any' });
    await from.client.set('key', 'value');
    await expect(copyOver(from, to, from.port, portOver(writer), 'key')).rejects.toMatchObject({ kind: 'noRight' });
    writer.disconnect();
    expect(await to.client.dbsize()).toBe(0);
  });

  it('no right to transactions is thrown, and nothing is left', async () => {
    await to.client.call('ACL', 'SETUSER', 'single', 'reset', 'on', 'nopass', '~*', '+@all', '-multi');
    const single = to.client.duplicate({ username: 'single', password: 'any' });
    await from.client.set('key', 'value');
    await expect(copyOver(from, to, from.port, portOver(single), 'key')).rejects.toMatchObject({
      kind: 'noRight',
      command: 'MULTI',
    });
    single.disconnect();
    expect(await to.client.dbsize()).toBe(0);
  });

  it('no right to read is thrown', async () => {
    await from.client.call('ACL', 'SETUSER', 'nobody', 'on', 'nopass', '~*', '+@all', '-lrange');
    const nobody = from.client.duplicate({ username: 'nobody', password: 'any' });
    await from.client.rpush('key', 'a');
    await expect(copyOver(from, to, portOver(nobody), to.port, 'key')).rejects.toMatchObject({ kind: 'noRight' });
    nobody.disconnect();
    expect(await to.client.dbsize()).toBe(0);
  });
});

describe('outcomes', () => {
  it('a type that the target does not know is named', async () => {
    await from.client.xadd('key', '*', 'a', 'b');
    const outcome = await copy(from, to, 'key', { target: { major: 4, minor: 0, valkey: false } });
    expect(outcome).toMatchObject({
      kind: 'failed',
      code: 'unsupported-type',
      message: expect.stringContaining('stream') as unknown,
    });
  });

  it('stops when asked to, and leaves nothing', async () => {
    await from.client.rpush('key', ...members(2_000));
    let chunks = 0;
    const outcome = await copy(from, to, 'key', {
      chunkBytes: 1_000,
      shouldStop: () => ++chunks > 5,
    });
    expect(outcome).toMatchObject({ kind: 'failed', code: 'stopped' });
    expect(chunks).toBe(6);
    expect(await to.client.dbsize()).toBe(0);
  });

  it('a name taken at the last moment is a conflict', async () => {
    await from.client.set('key', 'from');
    const target = watched(to.port, async (commands) => {
      if (commands.some(([name]) => name === 'RENAMENX')) await to.client.set('key', 'to');
    });
    expect(await copyOver(from, to, from.port, target, 'key', { onConflict: 'skip' })).toEqual({ kind: 'conflict' });
    expect(await to.client.get('key')).toBe('to');
    expect(await leftovers(to)).toEqual([]);
  });

  it.each([
    ['string', () => from.client.set('key', randomBytes(20_000))],
    ['list', () => from.client.rpush('key', ...members(2_000))],
    ['set', () => from.client.sadd('key', ...members(2_000))],
    ['hash', () => from.client.hset('key', ...members(2_000).flatMap((member) => [member, member]))],
    ['zset', () => from.client.zadd('key', ...members(2_000).flatMap((member, at) => [at, member]))],
    ['stream', fillStream],
  ] as const)('a temporary %s evicted on the way is never half a key', async (_, fill) => {
    await fill();
    // Each attempt loses its key once, before its third write, and goes on writing.
    const evicting = (attempts: number) => {
      let evicted = 0;
      let writes = 0;
      return watched(to.port, async () => {
        const [key] = await leftovers(to);
        writes = key === undefined ? 0 : writes + 1;
        if (key === undefined || writes !== 2 || evicted >= attempts) return;
        evicted++;
        await to.client.del(key);
      });
    };
    expect(await copyOver(from, to, from.port, evicting(Infinity), 'key', { chunkBytes: 1_000 })).toMatchObject({
      kind: 'failed',
      code: 'temporary-lost',
    });
    expect(await to.client.dbsize()).toBe(0);
    expect(await copyOver(from, to, from.port, evicting(1), 'key', { chunkBytes: 1_000 })).toMatchObject({
      kind: 'copied',
    });
  });
});

describe('memory', () => {
  it('holds two chunks, not the key', async () => {
    for (let at = 0; at < 64; at++) await from.client.rpush('key', Buffer.alloc(1_000_000, at));
    const ahead: number[] = [];
    let read = 0;
    let written = 0;
    const size = (commands: readonly Command[]) => commands.flat().reduce((sum, part) => sum + part.length, 0);
    const source = {
      ...from.port,
      pipeline: async (commands: readonly Command[]) => {
        const replies = await from.port.pipeline(commands);
        read += replies.flat(2).reduce<number>((sum, reply) => sum + (Buffer.isBuffer(reply) ? reply.length : 0), 0);
        ahead.push(read - written);
        return replies;
      },
    };
    const target = watched(to.port, () => undefined);
    const counting = {
      ...target,
      pipeline: async (commands: readonly Command[]) => {
        const replies = await target.pipeline(commands);
        written += size(commands);
        return replies;
      },
    };
    expect(await copyOver(from, to, source, counting, 'key', { chunkBytes: 4_000_000 })).toMatchObject({
      bytes: 64_000_000,
    });
    expect(Math.max(...ahead)).toBeLessThan(9_000_000);
  });
});
