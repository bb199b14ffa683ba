import type { Command, RedisPort } from '../../../src/redis/redis-port';
import { copyOver, leftovers, startSide, stopSide, watched, type Side } from './support';

let from: Side;
let to: Side;

beforeAll(async () => {
  [from, to] = await Promise.all([startSide('redis-7.0'), startSide('redis-6.0')]);
});
beforeEach(async () => {
  await Promise.all([from.client.flushall(), to.client.flushall()]);
});
afterAll(async () => {
  await Promise.all([stopSide(from), stopSide(to)]);
});

/** The source, with something done to it before every n-th of the commands named. */
function disturbed(
  command: string,
  each: number,
  act: (time: number) => Promise<unknown>,
  times = Infinity,
): RedisPort {
  let seen = 0;
  let acted = 0;
  return watched(from.port, async (commands) => {
    if (!commands.some(([name]) => name === command) || ++seen % each !== 0 || acted >= times) return;
    await act(++acted);
  });
}

const copyDisturbed = (source: RedisPort) => copyOver(from, to, source, to.port, 'key', { chunkBytes: 1_000 });

afterEach(async () => {
  expect(await leftovers(to)).toEqual([]);
});

const members = (count: number): string[] => Array.from({ length: count }, (_, at) => `member ${at}`);

describe('a key that is written to while it is copied', () => {
  it('string: written over once is copied anew, always is changing', async () => {
    await from.client.set('key', 'a'.repeat(5_000));
    const once = disturbed('GETRANGE', 3, () => from.client.set('key', 'b'.repeat(5_000)), 1);
    expect(await copyDisturbed(once)).toMatchObject({ kind: 'copied' });
    expect(await to.client.get('key')).toBe('b'.repeat(5_000));
    const always = disturbed('GETRANGE', 3, (time) => from.client.set('key', String(time % 10).repeat(5_000)));
    expect(await copyDisturbed(always)).toMatchObject({ kind: 'failed', code: 'changing' });
    expect(await to.client.get('key')).toBe('b'.repeat(5_000));
  });

  it('string: cut shorter is changing, appended to is copied as it stood', async () => {
    await from.client.set('key', 'a'.repeat(5_000));
    const appended = disturbed('GETRANGE', 2, () => from.client.append('key', 'b'));
    expect(await copyDisturbed(appended)).toMatchObject({ kind: 'copied', bytes: 5_000, losses: [] });
    expect(await to.client.get('key')).toBe('a'.repeat(5_000));
    let length = 4_000;
    const cut = disturbed('GETRANGE', 2, () => from.client.set('key', 'c'.repeat((length -= 10))));
    expect(await copyDisturbed(cut)).toMatchObject({ kind: 'failed', code: 'changing' });
  });

  it('list: rotated at the same length is changing, pushed at the tail is copied as it stood', async () => {
    await from.client.rpush('key', ...members(2_000));
    const pushed = disturbed('LRANGE', 3, () => from.client.rpush('key', 'more'));
    expect(await copyDisturbed(pushed)).toMatchObject({ kind: 'copied', losses: [] });
    expect(await to.client.lrange('key', 0, -1)).toEqual(members(2_000));
    const rotated = disturbed('LRANGE', 3, () => from.client.rpoplpush('key', 'key'));
    expect(await copyDisturbed(rotated)).toMatchObject({ kind: 'failed', code: 'changing' });
    expect(await to.client.lrange('key', 0, -1)).toEqual(members(2_000));
  });

  it('list: a small one that always changes is read at one moment', async () => {
    await from.client.rpush('key', 'a', 'b', 'c');
    const rotated = disturbed('LRANGE', 1, () => from.client.rpoplpush('key', 'key'));
    expect(await copyDisturbed(rotated)).toMatchObject({ kind: 'copied', losses: [] });
  });

  it('set, hash, sorted set: all that stayed is there, with a loss', async () => {
    const all = members(2_000);
    for (const [scan, fill, add] of [
      ['SSCAN', () => from.client.sadd('key', ...all), (n: number) => from.client.sadd('key', `new ${n}`)],
      [
        'HSCAN',
        () => from.client.hset('key', ...all.flatMap((m) => [m, m])),
        (n: number) => from.client.hset('key', `new ${n}`, n),
      ],
      [
        'ZSCAN',
        () => from.client.zadd('key', ...all.flatMap((m, at) => [at, m])),
        (n: number) => from.client.zadd('key', n, `new ${n}`),
      ],
    ] as const) {
      await Promise.all([from.client.del('key'), to.client.del('key')]);
      await fill();
      // Two at a time, one of which is behind the cursor sooner or later.
      const growing = disturbed(scan, 1, (time) => Promise.all([add(time * 2), add(time * 2 + 1)]));
      const outcome = await copyDisturbed(growing);
      expect(outcome).toMatchObject({ kind: 'copied' });
      if (scan !== 'SSCAN') continue;
      const made = new Set(await to.client.smembers('key'));
      expect(all.filter((member) => !made.has(member))).toEqual([]);
      expect(outcome).toMatchObject({ losses: [{ kind: 'changed-while-read' }] });
    }
  });

  it('stream: added to is copied as it stood, read by consumers all the time has a loss', async () => {
    const pipeline = from.client.pipeline();
    for (let at = 1; at <= 1_000; at++) pipeline.xadd('key', `${at}-1`, 'f', 'some value');
    await pipeline.exec();
    const added = disturbed('XRANGE', 2, (time) => from.client.xadd('key', `${2_000 + time}-1`, 'f', 'v'));
    expect(await copyDisturbed(added)).toMatchObject({ kind: 'copied', losses: [] });
    expect(await to.client.xlen('key')).toBe(1_000);
    await from.client.xgroup('CREATE', 'key', 'g', '0');
    const read = disturbed('XRANGE', 2, () =>
      from.client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 5, 'STREAMS', 'key', '>'),
    );
    expect(await copyDisturbed(read)).toMatchObject({
      kind: 'copied',
      losses: expect.arrayContaining([expect.objectContaining({ kind: 'changed-while-read' })]) as unknown,
    });
  });

  it('deleted: expired; of another type: copied as that', async () => {
    const before: readonly [string, () => Promise<unknown>][] = [
      ['GETRANGE', () => from.client.set('key', 'a'.repeat(5_000))],
      ['LRANGE', () => from.client.rpush('key', ...members(2_000))],
      ['SSCAN', () => from.client.sadd('key', ...members(2_000))],
    ];
    for (const [command, fill] of before) {
      await from.client.del('key');
      await fill();
      const deleted = disturbed(command, 3, () => from.client.del('key'));
      expect(await copyDisturbed(deleted)).toEqual({ kind: 'expired' });
      await fill();
      const replaced = disturbed(command, 3, async () => {
        await from.client.del('key');
        await from.client.zadd('key', 1, 'one');
      });
      expect(await copyDisturbed(replaced)).toMatchObject({ kind: 'copied' });
      expect(await to.client.zscore('key', 'one')).toBe('1');
      await Promise.all([from.client.del('key'), to.client.del('key')]);
    }
  });

  it('given another expiry meanwhile: the last one counts', async () => {
    await from.client.set('key', 'a'.repeat(5_000), 'PX', 500_000);
    const persisted = disturbed('GETRANGE', 3, () => from.client.persist('key'));
    await copyDisturbed(persisted);
    expect(await to.client.pttl('key')).toBe(-1);
  });
});

describe('a key of the same name, copied twice at the same time', () => {
  it('is whole both times', async () => {
    await from.client.rpush('key', ...members(2_000));
    const outcomes = await Promise.all([1, 2, 3].map(() => copyDisturbed(from.port)));
    expect(outcomes.map(({ kind }) => kind)).toEqual(['copied', 'copied', 'copied']);
    expect(await to.client.lrange('key', 0, -1)).toEqual(members(2_000));
  });
});

describe('what others see of the target meanwhile', () => {
  it('is the old key or the new one, and a temporary key that expires by itself', async () => {
    await from.client.rpush('key', ...members(2_000));
    await to.client.rpush('key', 'old');
    const seen = new Set<number>();
    const lives: number[] = [];
    const target = watched(to.port, async (commands: readonly Command[]) => {
      if (commands.length === 0) return;
      seen.add(await to.client.llen('key'));
      for (const key of await leftovers(to)) lives.push(await to.client.pttl(key));
    });
    await copyOver(from, to, from.port, target, 'key', { chunkBytes: 1_000 });
    expect([...seen]).toEqual([1]);
    expect(lives.length).toBeGreaterThan(10);
    expect(Math.min(...lives)).toBeGreaterThan(0);
    expect(await to.client.llen('key')).toBe(2_000);
    expect(await to.client.pttl('key')).toBe(-1);
  });
});
