import { randomBytes } from 'node:crypto';

import type { RedisPort } from '../../../src/redis/redis-port';
import { exactly } from '../../../src/transfer/by-commands/element-sums';
import { isUntouched, readWriteMark } from '../../../src/transfer/by-commands/untouched';
import { copyOver, leftovers, look, portOver, startSide, stopSide, watched, type Choices, type Side } from './support';

// Changes that leave the length as it is: nothing but a look at the values themselves tells of them.

let from: Side;
let to: Side;

beforeAll(async () => {
  [from, to] = await Promise.all([startSide('redis-8.0'), startSide('redis-6.0')]);
});
beforeEach(async () => {
  await Promise.all([from.client.flushall(), to.client.flushall()]);
});
afterEach(async () => {
  expect(await leftovers(to)).toEqual([]);
});
afterAll(async () => {
  await Promise.all([stopSide(from), stopSide(to)]);
});

/** The source, with something done to it before every eighth of the commands named, so many times. */
function disturbed(command: string, act: (time: number) => Promise<unknown>, times: number): RedisPort {
  let seen = 0;
  let acted = 0;
  return watched(from.port, async (commands) => {
    if (!commands.some(([name]) => name === command) || ++seen % 8 !== 0 || acted >= times) return;
    await act(++acted);
  });
}

const members = (count: number): string[] => Array.from({ length: count }, (_, at) => `member ${at}`);
const all = members(2_000);

/** Every hundredth element: wherever the walk is, some are behind it and some are ahead. */
const some = all.filter((_, at) => at % 100 === 0);

interface Case {
  readonly type: string;
  readonly reads: string;
  readonly fill: () => Promise<unknown>;
  readonly write: (time: number) => Promise<unknown>;
  /** What becomes of it when the writing never ends. */
  readonly always: object;
}

const lost = { kind: 'copied', losses: [{ kind: 'changed-while-read' }] };
const changing = { kind: 'failed', code: 'changing' };

const cases: readonly Case[] = [
  {
    type: 'hash',
    reads: 'HSCAN',
    fill: () => from.client.hset('key', ...all.flatMap((member) => [member, member])),
    write: (time) => from.client.hset('key', ...some.flatMap((member) => [member, `value ${time}`])),
    always: lost,
  },
  {
    type: 'sorted set',
    reads: 'ZSCAN',
    fill: () => from.client.zadd('key', ...all.flatMap((member, at) => [at / 3, member])),
    write: (time) => from.client.zadd('key', ...some.flatMap((member) => [time / 7, member])),
    always: lost,
  },
  {
    type: 'set',
    reads: 'SSCAN',
    fill: () => from.client.sadd('key', ...all),
    write: async (time) => {
      await from.client.srem('key', ...some, ...some.map((member) => `${member} at ${time - 1}`));
      await from.client.sadd('key', ...some.map((member) => `${member} at ${time}`));
    },
    always: lost,
  },
  {
    type: 'list',
    reads: 'LRANGE',
    fill: () => from.client.rpush('key', ...all),
    write: async (time) => {
      for (const at of [7, 1_993]) await from.client.lset('key', at, `value ${time}`);
    },
    always: changing,
  },
  {
    type: 'string',
    reads: 'GETRANGE',
    fill: () => from.client.set('key', randomBytes(40_000)),
    write: async (time) => {
      for (const at of [777, 39_333]) await from.client.setrange('key', at, `value ${time}`);
    },
    always: changing,
  },
];

describe.each([
  ['by scripts', true, true],
  ['by commands', false, false],
  ['by a script on the source alone', true, false],
  ['by a script on the target alone', false, true],
])('looked at %s', (_, source, target) => {
  describe.each(cases)('a $type that is written to in place while it is copied', ({ reads, fill, write, always }) => {
    const copyFrom = (port: RedisPort, choices: Choices = {}, onto: RedisPort = to.port) =>
      copyOver(from, to, port, onto, 'key', { chunkBytes: 2_000, scripts: { source, target }, ...choices });

    beforeEach(fill);

    it('is what the source has, once that rests', async () => {
      expect(await copyFrom(disturbed(reads, write, 1))).toMatchObject({ kind: 'copied', losses: [] });
      expect(await look(to, 'key')).toEqual(await look(from, 'key'));
    });

    it('is a finding while the writing never ends', async () => {
      expect(await copyFrom(disturbed(reads, write, Infinity))).toMatchObject(always);
    });

    it('is copied at once where others are written to, without a second look where none is', async () => {
      for (const source of [watched(from.port, () => void from.client.incr('other')), from.port]) {
        let sent = 0;
        const target = watched(to.port, (commands) => {
          for (const argument of commands.flat()) if (Buffer.isBuffer(argument)) sent += argument.length;
        });
        const outcome = await copyFrom(source, {}, target);
        expect(outcome).toMatchObject({ kind: 'copied', losses: [] });
        const { bytes } = outcome as { bytes: number };
        expect(sent).toBeGreaterThanOrEqual(bytes);
        expect(sent).toBeLessThan(1.9 * bytes);
        expect(await look(to, 'key')).toEqual(await look(from, 'key'));
      }
    });

    it('is a loss, not taken for the same, where nobody may look again', async () => {
      const read = reads.toLowerCase();
      await from.client.call(
        'ACL',
        'SETUSER',
        'once',
        'reset',
        'on',
        'nopass',
        '~*',
        '+@all',
        '-eval',
        '-evalsha',
        '-info',
      );
      const client = from.client.duplicate({ username: 'once', password: 'any' });
      const once = watched(portOver(client), async (commands) => {
        // The look asks for the type first, unless it is by a script, which is forbidden.
        if (commands.some(([name]) => name === 'TYPE') && (await to.client.dbsize()) > 0)
          await from.client.call('ACL', 'SETUSER', 'once', `-${read}`);
      });
      const outcome = await copyFrom(once);
      client.disconnect();
      expect(outcome).toMatchObject(lost);
      expect(outcome).toMatchObject({
        losses: [{ message: expect.stringContaining('cannot be found out') as unknown }],
      });
    });
  });
});

describe('expiries of hash fields', () => {
  let newer: Side;
  beforeAll(async () => {
    newer = await startSide('redis-8.0');
  });
  afterAll(() => stopSide(newer));

  it.each([true, false])('changed while the hash is copied are noticed (scripts: %s)', async (script) => {
    const scripts = { source: script, target: script };
    const expire = (ms: number) =>
      from.client.call('HPEXPIRE', 'key', String(ms), 'FIELDS', String(some.length), ...some);
    await from.client.hset('key', ...all.flatMap((member) => [member, member]));
    await expire(1_000_000);
    const source = disturbed('HSCAN', () => expire(5_000_000), 1);
    const outcome = await copyOver(from, newer, source, newer.port, 'key', {
      chunkBytes: 2_000,
      scripts,
      clockOffsetMs: 0.7,
    });
    expect(outcome).toMatchObject({ kind: 'copied', losses: [] });
    const times = async ({ client }: Side) =>
      (await client.call('HPEXPIRETIME', 'key', 'FIELDS', String(some.length), ...some)) as number[];
    expect(await times(newer)).toEqual((await times(from)).map((time) => Math.round(time + 0.7)));
  });
});

it.each([1, Infinity])(
  'pending entries that change hands while their stream is copied are noticed (%s times)',
  async (times) => {
    const { client } = from;
    const fill = client.pipeline();
    for (let at = 1; at <= 1_000; at++) fill.xadd('key', `${at}-0`, 'field', 'x'.repeat(20));
    await fill.exec();
    await client.xgroup('CREATE', 'key', 'group', '0');
    await client.call('XGROUP', 'CREATECONSUMER', 'key', 'group', 'other');
    await client.xreadgroup('GROUP', 'group', 'one', 'COUNT', 1_000, 'STREAMS', 'key', '>');
    const taken = Array.from({ length: 10 }, (_, at) => `${at * 100 + 1}-0`);
    const claim = (time: number) =>
      client.xclaim('key', 'group', time % 2 === 1 ? 'other' : 'one', 0, ...taken, 'JUSTID');

    const outcome = await copyOver(from, to, disturbed('XRANGE', claim, times), to.port, 'key', { chunkBytes: 2_000 });

    const changed = times === 1 ? [] : [{ kind: 'changed-while-read' }];
    expect(outcome).toMatchObject({ kind: 'copied', losses: [{ kind: 'consumer-times' }, ...changed] });
    if (times === 1) expect(await look(to, 'key')).toEqual(await look(from, 'key'));
  },
);

it('streams with pending entries are copied where the target does not tell which', async () => {
  await from.client.xadd('key', '1-0', 'field', 'value');
  await from.client.xgroup('CREATE', 'key', 'group', '0');
  await from.client.xreadgroup('GROUP', 'group', 'one', 'STREAMS', 'key', '>');
  await to.client.call('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-xpending');
  const limited = portOver(to.client.duplicate({ username: 'limited', password: 'secret' }));
  expect(await copyOver(from, to, from.port, limited, 'key')).toMatchObject({ kind: 'copied' });
  expect(await to.client.xpending('key', 'group')).toMatchObject([1, '1-0', '1-0', [['one', '1']]]);
});

describe('whether nobody wrote', () => {
  const mark = { process: 'a', at: 10_000, changes: 5, savedAt: 1_000, commands: 100 };
  const after = { ...mark, at: 11_000, commands: 103 };

  it.each([
    ['is certain where nothing moved but our own commands', mark, after, true],
    ['is denied by another process', mark, { ...after, process: 'b' }, false],
    ['is denied by a change', mark, { ...after, changes: 6 }, false],
    ['cannot be said after a save', mark, { ...after, savedAt: 10_000 }, false],
    ['cannot be said just after a save', { ...mark, savedAt: 9_000 }, { ...after, savedAt: 9_000 }, false],
    ['cannot be said where nothing is counted', { ...mark, changes: 0 }, { ...after, changes: 0 }, false],
    ['cannot be said by a remembered answer', mark, mark, false],
    ['cannot be said by a server that does not tell', mark, undefined, false],
  ] as const)('%s', (_, one, other, expected) => {
    expect(isUntouched(one, other)).toBe(expected);
  });

  it('is told by real servers', async () => {
    for (const { client, port } of [from, to]) {
      await client.set('other', 1);
      const first = await readWriteMark(port, Buffer.from('any'));
      expect(isUntouched({ ...first!, at: first!.at + 2_000 }, await readWriteMark(port, Buffer.from('any')))).toBe(
        true,
      );
      await client.eval("redis.call('SET', 'other', 2)", 0);
      expect(isUntouched({ ...first!, at: first!.at + 2_000 }, await readWriteMark(port, Buffer.from('any')))).toBe(
        false,
      );
    }
  });
});

it('scores are told exactly, whoever spells them', async () => {
  const scores = [
    ...[0, -0, 1, -1, 0.1, 1 / 3, 2 ** 51 + 0.25, 1e300, -1e-300, 5e-324, 2.2250738585072014e-308, Infinity, -Infinity],
    ...Array.from({ length: 200 }, () => randomBytes(8).readDoubleBE()).filter((score) => !Number.isNaN(score)),
  ];
  await from.client.zadd('key', ...scores.flatMap((score, at) => [String(score).replace('Infinity', 'inf'), `m${at}`]));
  const script = `local n = tonumber(ARGV[1]) if n == 0 then return '0' end if n == math.huge then return 'inf' end
    if n == -math.huge then return '-inf' end local m, e = math.frexp(n)
    return string.format('%.0f:%d', m * 9007199254740992, e)`;
  for (const at of scores.keys()) {
    const score = (await from.client.zscore('key', `m${at}`))!;
    expect(exactly(score)).toBe(await from.client.eval(script, 0, score));
  }
});
