import { globMatcher } from '../../../src/keyspace/glob';
import { RedisError, replyError } from '../../../src/redis/errors';
import type { Command, RedisPort } from '../../../src/redis/redis-port';
import {
  isTemporaryKey,
  isTemporaryKeyOf,
  temporaryKeysPattern,
  TemporaryNames,
  TEMPORARY_KEY_HELD_MS,
  TEMPORARY_KEY_LIFE_MS,
  TEMPORARY_KEY_PREFIX,
} from '../../../src/transfer/by-commands';
import { transactionReplies } from '../../../src/transfer/by-commands/transaction';
import { copyOver, leftovers, portOver, startSide, stopSide, watched, type Choices, type Side } from './support';

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

const members = (count: number): string[] => Array.from({ length: count }, (_, at) => `member ${at}`);
const worker = (generation: number, predecessors: readonly number[] = []) =>
  new TemporaryNames({ migration: 'm-1', range: 'copy-00003', generation }, predecessors);

/** A connection that is cut after so many commands, wherever that is; undefined for the end of the copy. */
async function copyCut(after: number | undefined, choices: Choices): Promise<number> {
  const client = to.client.duplicate({ maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => undefined);
  const own = portOver(client);
  let sent = 0;
  let isCut = false;
  const pipeline = async (commands: readonly Command[]) => {
    // A cut connection stays so: the builder cannot tidy up either.
    if (isCut) throw new RedisError('connectionLost', 'IT');
    const room = after === undefined ? Infinity : after - sent;
    sent += commands.length;
    if (commands.length <= room) return own.pipeline(commands);
    isCut = true;
    if (room > 0) await own.pipeline(commands.slice(0, room));
    client.disconnect();
    throw new RedisError('connectionLost', 'IT');
  };
  const cut: RedisPort = { call: async (...command) => (await pipeline([command]))[0] as never, pipeline };
  await copyOver(from, to, from.port, cut, 'key', { chunkBytes: 200, ...choices }).catch((error: unknown) => {
    expect(error).toMatchObject({ kind: 'connectionLost' });
  });
  client.disconnect();
  return sent;
}

const HOURS = 36_000_000;

describe.each([
  ['without an expiry', () => from.client.persist('key'), -1],
  ['with an expiry', () => from.client.pexpire('key', HOURS), HOURS],
] as const)('a copy of a key %s that is cut', (_, setExpiry, life) => {
  it.each(['replace', 'skip'] as const)(
    'after any command leaves the old key or the new, and nothing that stays (%s)',
    async (onConflict) => {
      await from.client.rpush('key', ...members(120));
      await setExpiry();
      const all = await copyCut(undefined, { onConflict, names: worker(1) });
      expect(all).toBeGreaterThan(30);
      let left = 0;
      for (let after = 0; after < all; after++) {
        await to.client.flushall();
        if (onConflict === 'replace') await to.client.rpush('key', 'old');
        await copyCut(after, { onConflict, names: worker(1) });
        for (const key of await leftovers(to)) {
          left++;
          const pttl = await to.client.pttl(key);
          expect(pttl).toBeGreaterThan(0);
          expect(pttl).toBeLessThanOrEqual(TEMPORARY_KEY_LIFE_MS);
        }
        const found = await to.client.lrange('key', 0, -1);
        const pttl = await to.client.pttl('key');
        if (found.length > 1) {
          expect(found).toEqual(members(120));
          expect(life === -1 ? pttl : Math.abs(pttl - life) < 10_000).toBe(life === -1 ? -1 : true);
        } else {
          expect(found).toEqual(onConflict === 'replace' ? ['old'] : []);
        }
      }
      expect(left).toBeGreaterThan(20);
    },
  );
});

describe('a stale builder', () => {
  it('that writes to a key that was removed meanwhile makes none that stays', async () => {
    await from.client.rpush('key', ...members(120));
    const names = worker(1);
    let writes = 0;
    let cut = false;
    const target: RedisPort = watched(to.port, async (commands) => {
      if (cut) throw new RedisError('connectionLost', 'IT');
      if (!commands.some(([name]) => name === 'RPUSH') || ++writes !== 4) return;
      await to.client.del(...(await leftovers(to)));
      // This write still arrives; the next one, which would tidy up, does not.
      setImmediate(() => (cut = true));
    });
    await copyOver(from, to, from.port, target, 'key', { chunkBytes: 200, names }).catch(() => undefined);
    const [key] = await leftovers(to);
    expect(await to.client.pttl(key!)).toBeGreaterThan(0);
    expect(await to.client.exists('key')).toBe(0);
    expect(names.areGone).toBe(false);
  });
});

describe('whoever goes on with a range', () => {
  it('removes what those before it left of the key, and nothing else', async () => {
    await from.client.rpush('key', ...members(120));
    for (const generation of [1, 2, 5]) await copyCut(20, { names: worker(generation) });
    expect(await leftovers(to)).toHaveLength(3);
    const other = new TemporaryNames({ migration: 'm-2', range: 'copy-00003', generation: 1 }, []);
    await copyCut(20, { names: other });
    let seen: string[] | undefined;
    const target = watched(to.port, async (commands) => {
      if (seen === undefined && commands.some(([name]) => name === 'RENAME')) seen = await leftovers(to);
    });
    const names = worker(6, [1, 2, 5]);
    await copyOver(from, to, from.port, target, 'key', { chunkBytes: 200, names });
    expect(seen?.map((name) => name.replace(/:[0-9a-f]{32}:.*/, '')).sort()).toEqual([
      'keyferry:temporary:m-1:copy-00003:6-0',
      'keyferry:temporary:m-2:copy-00003:1-0',
    ]);
    expect(names.areGone).toBe(true);
    expect(await to.client.lrange('key', 0, -1)).toEqual(members(120));
  });

  it('removes what it left itself when its connection was cut', async () => {
    await from.client.rpush('key', ...members(120));
    const names = worker(1);
    await copyCut(20, { names });
    expect(await leftovers(to)).toHaveLength(1);
    await copyCut(undefined, { names });
    expect(await leftovers(to)).toEqual([]);
    // What was sent and not answered may still arrive: nobody can say that nothing is left.
    expect(names.areGone).toBe(false);
  });

  it('builds beside one that still lives, and both are whole', async () => {
    await from.client.rpush('key', ...members(500));
    const copyAs = (names: TemporaryNames) => copyOver(from, to, from.port, to.port, 'key', { chunkBytes: 200, names });
    const outcomes = await Promise.all([copyAs(worker(1)), copyAs(worker(2)), copyAs(worker(3))]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['copied', 'copied', 'copied']);
    expect(await to.client.lrange('key', 0, -1)).toEqual(members(500));
    expect(await leftovers(to)).toEqual([]);
  });
});

describe('names', () => {
  it('differ by migration, range, generation, build and key, also under one tag', () => {
    const builder = { migration: 'm', range: 'copy-00000', generation: 1 };
    const names = new TemporaryNames(builder, []);
    const first = names.take(Buffer.from('{tag}a'));
    const all = [
      first,
      names.take(Buffer.from('{tag}a')),
      names.take(Buffer.from('{tag}b')),
      ...[{ migration: 'n' }, { range: 'copy-00001' }, { generation: 2 }].map((change) =>
        new TemporaryNames({ ...builder, ...change }, []).take(Buffer.from('{tag}a')),
      ),
    ].map(({ name }) => name.toString());
    expect(new Set(all).size).toBe(all.length);
    first.release(true);
    expect(names.take(Buffer.from('{tag}a')).name).toEqual(first.name);
  });

  it('of predecessors matter until what these wrote has expired', () => {
    let now = 0;
    const names = new TemporaryNames({ migration: 'm', range: 'copy-00000', generation: 9 }, [7, 8], () => now);
    expect(names.take(Buffer.from('a')).leftovers).toHaveLength(8);
    now = TEMPORARY_KEY_HELD_MS + 1;
    expect(names.take(Buffer.from('a')).leftovers).toEqual([]);
  });

  const ours = worker(12)
    .take(Buffer.from([0x7b, 0xff, 0x0a, 0x7d]))
    .name.toString('latin1');

  it.each([
    [ours, true],
    [`${TEMPORARY_KEY_PREFIX}0123456789abcdef:{tag}`, true],
    [TEMPORARY_KEY_PREFIX, false],
    [`${TEMPORARY_KEY_PREFIX}1`, false],
    [`${TEMPORARY_KEY_PREFIX}of:a:user`, false],
    [`x${ours}`, false],
    [`${ours}x`, false],
    [ours.replace('copy-00003', 'copy'), false],
    [`${TEMPORARY_KEY_PREFIX}0123456789abcdef:{}`, false],
    ['user:1', false],
  ])('%j is one: %s', (name, expected) => {
    expect(isTemporaryKey(Buffer.from(name, 'latin1'))).toBe(expected);
  });

  it('in a frame are known by it, and by no other', () => {
    const frame = { before: 'app:[1]', after: ':\xff' };
    const framed = new TemporaryNames({ migration: 'm-1', range: 'copy-00003', generation: 1 }, [], Date.now, frame);
    const { name } = framed.take(Buffer.from('a'));
    expect(name.toString('latin1')).toMatch(/^app:\[1\]keyferry:temporary:m-1:.*:\xff$/);
    expect([isTemporaryKeyOf('m-1', name, frame), isTemporaryKeyOf('m-2', name, frame), isTemporaryKey(name)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(isTemporaryKey(Buffer.concat([name, Buffer.from('x')]), frame)).toBe(false);
    expect(isTemporaryKey(name, { ...frame, before: 'app:[2]' })).toBe(false);
    expect(globMatcher(temporaryKeysPattern('m-1', frame))(name)).toBe(true);
  });

  it('tell their migration', () => {
    const key = Buffer.from(ours, 'latin1');
    expect(isTemporaryKeyOf('m-1', key)).toBe(true);
    expect(isTemporaryKeyOf('m', key)).toBe(false);
    expect(isTemporaryKeyOf('', Buffer.from(`${TEMPORARY_KEY_PREFIX}0123456789abcdef:{tag}`))).toBe(false);
  });
});

describe('a transaction that was refused', () => {
  const queued = Buffer.from('QUEUED');

  it.each([
    [
      'where a command was refused',
      [queued, replyError('IT', 'OOM full'), replyError('IT', 'EXECABORT because')],
      'outOfMemory',
    ],
    [
      'where EXEC says for what',
      [queued, queued, replyError('IT', 'EXECABORT Transaction discarded because of: OOM command not allowed')],
      'outOfMemory',
    ],
    ['by MULTI', [replyError('IT', 'NOPERM multi'), 1, replyError('IT', 'ERR EXEC without MULTI')], 'noRight'],
    ['without a reason', [queued, queued, replyError('IT', 'EXECABORT')], 'transactionDiscarded'],
  ] as const)('%s says why', (_, replies, kind) => {
    expect(() => transactionReplies(replies as never)).toThrow(expect.objectContaining({ kind }) as Error);
  });

  it('without a word says that', () => {
    expect(() => transactionReplies([queued, queued, null])).toThrow('no replies');
  });
});
