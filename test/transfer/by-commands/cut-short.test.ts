import { randomBytes } from 'node:crypto';

import { RedisError } from '../../../src/redis/errors';
import type { Command, RedisPort } from '../../../src/redis/redis-port';
import {
  keyPlaceSchema,
  TEMPORARY_KEY_HELD_MS,
  TEMPORARY_KEY_LIFE_MS,
  TemporaryNames,
  type CommandCopyOutcome,
  type KeyPlace,
} from '../../../src/transfer/by-commands';
import { copyOver, leftovers, look, startSide, stopSide, watched, type Choices, type Side } from './support';

// One key that takes several messages: each worker has a generation of its own, and knows of the one before what was stored.

let from: Side;
let to: Side;

beforeAll(async () => {
  [from, to] = await Promise.all([startSide('redis-8.0'), startSide('redis-7.0')]);
});
beforeEach(async () => {
  await Promise.all([from.client.flushall(), to.client.flushall()]);
});
afterAll(async () => {
  await Promise.all([stopSide(from), stopSide(to)]);
});

const members = (count: number): string[] => Array.from({ length: count }, (_, at) => `member ${at}`);
const stopped = { kind: 'failed', code: 'stopped' };

/** The workers of one range, one after the other. */
class Workers {
  generation = 0;
  place: KeyPlace | undefined;
  read = 0;

  /** The next worker copies until it has reached so many places. */
  async work(steps: number, choices: Choices = {}, target: RedisPort = to.port): Promise<CommandCopyOutcome> {
    this.generation++;
    let reached = 0;
    const source = {
      ...from.port,
      pipeline: async (commands: readonly Command[]) => {
        const replies = await from.port.pipeline(commands);
        if (commands.some(([name]) => READS.has(name))) this.read += sizeOf(replies);
        return replies;
      },
    };
    const outcome = await copyOver(from, to, source, target, 'key', {
      chunkBytes: 4_000,
      names: new TemporaryNames({ migration: 'm', range: 'copy-00000', generation: this.generation }, []),
      place: {
        get: () => this.place,
        // As it comes out of storage.
        set: (place) => (this.place = place && keyPlaceSchema.parse(JSON.parse(JSON.stringify(place)) as unknown)),
      },
      shouldStop: () => ++reached >= steps,
      ...choices,
    });
    return outcome;
  }

  /** Until it is no longer stopped, with something done between two workers. */
  async finish(steps: number, between: () => Promise<unknown> = () => Promise.resolve(), choices: Choices = {}) {
    for (;;) {
      const outcome = await this.work(steps, choices);
      if (outcome.kind !== 'failed' || outcome.code !== 'stopped') return outcome;
      await between();
    }
  }
}

const READS = new Set(['GETRANGE', 'LRANGE', 'SSCAN', 'HSCAN', 'ZSCAN', 'XRANGE']);

function sizeOf(reply: unknown): number {
  if (Buffer.isBuffer(reply)) return reply.length;
  return Array.isArray(reply) ? reply.reduce<number>((sum, part) => sum + sizeOf(part), 0) : 0;
}

async function fillStream(): Promise<void> {
  const pipeline = from.client.pipeline();
  for (let at = 1; at <= 1_000; at++) pipeline.xadd('key', `${at}-1`, 'f', 'some value');
  pipeline.xgroup('CREATE', 'key', 'g', '0');
  pipeline.xreadgroup('GROUP', 'g', 'c', 'COUNT', 400, 'STREAMS', 'key', '>');
  pipeline.xdel('key', '3-1', '350-1');
  await pipeline.exec();
}

const cases = [
  ['string', () => from.client.set('key', randomBytes(40_000))],
  ['list', () => from.client.rpush('key', ...members(2_500))],
  ['set', () => from.client.sadd('key', ...members(2_500))],
  ['hash', () => from.client.hset('key', ...members(1_500).flatMap((member) => [member, member]))],
  ['zset', () => from.client.zadd('key', ...members(2_500).flatMap((member, at) => [at / 3, member]))],
  ['stream', fillStream],
] as const;

describe.each([
  ['by scripts', true],
  ['by commands', false],
])('looked at again %s', (_, script) => {
  const scripts = { source: script, target: script };

  it.each(cases)('a %s that takes many messages is read once, and whole in the end', async (type, fill) => {
    await fill();
    await from.client.pexpire('key', 10_000_000);
    const workers = new Workers();
    const outcome = await workers.finish(
      2,
      async () => {
        expect(await to.client.exists('key')).toBe(0);
        const kept = await leftovers(to);
        expect(kept).toHaveLength(1);
        expect(await to.client.pttl(kept[0]!)).toBeGreaterThan(TEMPORARY_KEY_HELD_MS - 10_000);
      },
      { scripts },
    );
    expect(outcome).toMatchObject({ kind: 'copied' });
    const { bytes, losses } = outcome as Extract<CommandCopyOutcome, { kind: 'copied' }>;
    expect(losses.filter(({ kind }) => kind !== 'consumer-times')).toEqual([]);
    expect(workers.generation).toBeGreaterThan(4);
    expect(await look(to, 'key')).toEqual(await look(from, 'key'));
    expect(await leftovers(to)).toEqual([]);
    expect(workers.place).toBeUndefined();
    // One window more than was written is read by each; where no scripts are, values are read once more to be compared.
    if (script && type !== 'stream') expect(workers.read).toBeLessThan(bytes + workers.generation * 6_000);
  });

  it.each(cases)('a %s of which the temporary key vanishes between two messages is built anew', async (__, fill) => {
    await fill();
    const workers = new Workers();
    await workers.work(3);
    await to.client.flushall();
    expect(await workers.finish(3, undefined, { scripts })).toMatchObject({ kind: 'copied' });
    expect(await look(to, 'key')).toEqual(await look(from, 'key'));
    expect(await leftovers(to)).toEqual([]);
  });

  it.each(cases)(
    'a %s that is another one of its type in the next message is copied as it is then',
    async (type, fill) => {
      await fill();
      const workers = new Workers();
      await workers.work(3);
      await from.client.del('key');
      await fill();
      const others = {
        string: () => from.client.setrange('key', 5, 'other'),
        list: () => from.client.lset('key', 5, 'other'),
        set: () => from.client.smove('key', 'elsewhere', 'member 7').then(() => from.client.sadd('key', 'other')),
        hash: () => from.client.hset('key', ...members(1_500).flatMap((member) => [member, `${member} other`])),
        zset: () => from.client.zadd('key', ...members(2_500).flatMap((member, at) => [at / 7, member])),
        stream: () => from.client.xdel('key', '5-1', '6-1'),
      } as const;
      await others[type]();
      expect(await workers.finish(4, undefined, { scripts })).toMatchObject({ kind: 'copied' });
      expect(await look(to, 'key')).toEqual(await look(from, 'key'));
      expect(await leftovers(to)).toEqual([]);
    },
  );
});

it('a list that is written to between all messages is given up after three attempts, and a set has a loss', async () => {
  await from.client.rpush('key', ...members(2_500));
  let time = 0;
  const list = new Workers();
  const rotate = () => from.client.lset('key', 1, `value ${time++}`);
  expect(await list.finish(3, rotate)).toMatchObject({ kind: 'failed', code: 'changing' });
  expect(await to.client.dbsize()).toBe(0);

  await from.client.del('key');
  await from.client.sadd('key', ...members(2_500));
  const set = new Workers();
  const grow = () => from.client.sadd('key', ...members(50).map((member) => `${member} at ${time++}`));
  expect(await set.finish(3, grow)).toMatchObject({ kind: 'copied', losses: [{ kind: 'changed-while-read' }] });
  const made = new Set(await to.client.smembers('key'));
  expect(members(2_500).filter((member) => !made.has(member))).toEqual([]);
});

it('a key that is gone, or of another type, by the next message leaves nothing of what was built', async () => {
  for (const next of [() => Promise.resolve(0), () => from.client.sadd('key', 'one')]) {
    await from.client.rpush('key', ...members(2_500));
    const workers = new Workers();
    expect(await workers.work(3)).toMatchObject(stopped);
    await from.client.del('key');
    await next();
    const outcome = await workers.finish(3);
    expect(outcome.kind).toBe((await from.client.exists('key')) === 0 ? 'expired' : 'copied');
    expect(await look(to, 'key')).toEqual(await look(from, 'key'));
    expect(await leftovers(to)).toEqual([]);
    await Promise.all([from.client.flushall(), to.client.flushall()]);
  }
});

it('a name that is taken by the next message is a conflict, and leaves nothing', async () => {
  await from.client.rpush('key', ...members(2_500));
  const workers = new Workers();
  await workers.work(3, { onConflict: 'skip' });
  await to.client.set('key', 'own');
  expect(await workers.work(3, { onConflict: 'skip' })).toEqual({ kind: 'conflict' });
  expect(await to.client.get('key')).toBe('own');
  expect(await leftovers(to)).toEqual([]);
});

it.each(cases)('a %s whose worker died after it had told its place is whole in the end', async (_, fill) => {
  await fill();
  const workers = new Workers();
  await workers.work(2);
  const told = workers.place;
  await workers.work(3);
  // What this worker did is written nowhere but on the target.
  workers.place = { ...told!, build: { ...told!.build!, temporary: workers.place!.build!.temporary } };
  expect(await workers.finish(5)).toMatchObject({ kind: 'copied' });
  expect(await look(to, 'key')).toEqual(await look(from, 'key'));
  expect(await leftovers(to)).toEqual([]);
});

it('a temporary key that a restarted target has in an older state is not taken for what was written', async () => {
  await from.client.sadd('key', ...members(2_500));
  const workers = new Workers();
  await workers.work(2);
  const [name] = await leftovers(to);
  const older = await to.client.dumpBuffer(name!);
  await workers.work(4);
  const [later] = await leftovers(to);
  await to.client.restore(later!, 100_000, older, 'REPLACE');
  expect(await workers.finish(100)).toMatchObject({ kind: 'copied', losses: [] });
  expect(await look(to, 'key')).toEqual(await look(from, 'key'));
});

it('what an earlier worker still sends does not reach the key of the one that goes on', async () => {
  await from.client.rpush('key', ...members(2_500));
  const workers = new Workers();
  await workers.work(3);
  const [old] = await leftovers(to);
  let late = 0;
  const target = watched(to.port, async (commands) => {
    if (!commands.some(([name]) => name === 'RPUSH') || late++ > 0) return;
    await to.client.multi().rpush(old!, 'late').pexpire(old!, TEMPORARY_KEY_LIFE_MS).exec();
  });
  expect(await workers.work(1_000, {}, target)).toMatchObject({ kind: 'copied' });
  expect(await to.client.lrange('key', 0, -1)).toEqual(members(2_500));
});

it.each(cases)('a %s goes on after each loss of a connection', async (_, fill) => {
  await fill();
  const workers = new Workers();
  let sent = 0;
  let losses = 0;
  // Every fourth write is lost, every other one of these after it was carried out.
  const target: RedisPort = {
    call: (...command) => to.port.call(...command),
    pipeline: async (commands) => {
      const isLost = commands.some(([name]) => name === 'MULTI') && ++sent % 4 === 0 && losses < 8;
      if (isLost && losses % 2 === 0) await to.port.pipeline(commands);
      if (isLost) {
        losses++;
        throw new RedisError('connectionLost', 'IT');
      }
      return await to.port.pipeline(commands);
    },
  };
  let outcome: CommandCopyOutcome | undefined;
  while (outcome === undefined) outcome = await workers.work(Infinity, {}, target).catch(() => undefined);
  expect(outcome).toMatchObject({ kind: 'copied' });
  expect(losses).toBeGreaterThan(2);
  expect(await look(to, 'key')).toEqual(await look(from, 'key'));
});
