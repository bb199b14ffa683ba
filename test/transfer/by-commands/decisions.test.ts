import fc from 'fast-check';

import { hasCreateConsumer, hasFieldExpiry, hasStreamFacts } from '../../../src/transfer/by-commands/abilities';
import { firstCount, nextCount, portions } from '../../../src/transfer/by-commands/chunk-size';
import { expiryFromExpireTime, expiryFromPttl, timeInMs } from '../../../src/transfer/by-commands/expiry';
import { expiryCommands } from '../../../src/transfer/by-commands/hash';
import { readAhead } from '../../../src/transfer/read-ahead';
import { driftOf } from '../../../src/transfer/by-commands/stream/stream';
import { windowCommands } from '../../../src/transfer/by-commands/stream/stream-commands';
import { compareIds, formatId, idAfter, parseId } from '../../../src/payload/stream-id';
import type { StreamInfo } from '../../../src/transfer/by-commands/stream/stream-info';

describe('abilities', () => {
  const redis = (major: number, minor: number) => ({ major, minor, valkey: false });

  it.each([
    [redis(6, 0), false, false, false],
    [redis(6, 2), true, false, false],
    [redis(7, 2), true, true, false],
    [redis(7, 4), true, true, true],
    [redis(8, 0), true, true, true],
    [{ major: 8, minor: 1, valkey: true }, true, true, false],
    [{ major: 9, minor: 0, valkey: true }, true, true, true],
  ])('of %j', (server, consumer, facts, fields) => {
    expect([hasCreateConsumer(server), hasStreamFacts(server), hasFieldExpiry(server)]).toEqual([
      consumer,
      facts,
      fields,
    ]);
  });
});

describe('expiry', () => {
  it('takes the last millisecond for gone and never makes a key immortal', () => {
    expect([-2, -1, 0, 1].map((pttl) => expiryFromPttl(1_000.9, pttl))).toEqual(['gone', 'never', 'gone', 1_001]);
    expect([-2, -1, 5].map(expiryFromExpireTime)).toEqual(['gone', 'never', 5]);
  });

  it('reads TIME with its microseconds', () => {
    expect(timeInMs([Buffer.from('1700000000'), Buffer.from('987654')])).toBeCloseTo(1_700_000_000_987.654, 2);
  });
});

describe('chunk sizes', () => {
  it('begin with what memory and length say, cautiously where they say nothing', () => {
    expect(firstCount(undefined, 5, 1_000)).toBe(16);
    expect(firstCount(900, undefined, 1_000)).toBe(1_000);
    expect(firstCount(100_000, 100, 10_000)).toBe(10);
    expect(firstCount(100_000_000, 10, 1_000)).toBe(1);
  });

  it('shrink at once and grow by four at most', () => {
    expect(nextCount(1_000, 1_000, 10_000_000, 1_000_000)).toBe(99);
    expect(nextCount(1, 1, 10_000_000, 1_000_000)).toBe(1);
    expect(nextCount(10, 10, 10, 1_000_000)).toBe(40);
    expect(nextCount(10_000, 10_000, 10_000, 100_000_000)).toBe(10_000);
    expect(nextCount(7, 0, 0, 1_000)).toBe(7);
  });

  it('keep every element once and in order in portions', () => {
    fc.assert(
      fc.property(fc.nat(5_000), (length) => {
        const elements = Array.from({ length }, (_, at) => at);
        const parts = portions(elements);
        expect(parts.flat()).toEqual(elements);
        return parts.every((part) => part.length > 0 && part.length <= 1_000);
      }),
      { numRuns: 30 },
    );
  });
});

describe('readAhead', () => {
  it('fetches one item ahead, and throws in the right place', async () => {
    let fetched = 0;
    async function* numbers(): AsyncGenerator<number, void, undefined> {
      for (; fetched < 3;) yield await Promise.resolve(++fetched);
      throw new Error('no more');
    }
    const seen: [number, number][] = [];
    const walk = async (): Promise<void> => {
      for await (const item of readAhead(numbers())) {
        await new Promise(setImmediate);
        seen.push([item, fetched]);
      }
    };
    await expect(walk()).rejects.toThrow('no more');
    expect(seen).toEqual([
      [1, 2],
      [2, 3],
      [3, 3],
    ]);
  });
});

describe('stream ids', () => {
  it('order, print and increment as 64-bit numbers', () => {
    const greatest = '18446744073709551615';
    expect(formatId(idAfter(parseId(`5-${greatest}`))!)).toBe('6-0');
    expect(idAfter(parseId(`${greatest}-${greatest}`))).toBeUndefined();
    expect(compareIds(parseId('9007199254740993-0'), parseId('9007199254740992-9'))).toBeGreaterThan(0);
    expect(() => parseId('*')).toThrow(SyntaxError);
  });
});

describe('hash field expiries', () => {
  it('need one command a moment, by the clock of the target', () => {
    const field = (name: string, expireAt?: number) => ({
      name: Buffer.from(name),
      value: Buffer.from('v'),
      ...(expireAt === undefined ? {} : { expireAt }),
    });
    const commands = expiryCommands(
      Buffer.from('k'),
      [field('a', 100), field('b'), field('c', 200), field('d', 100)],
      5,
    );
    expect(commands.map((command) => command.map(String).join(' '))).toEqual([
      'HPEXPIREAT k 105 FIELDS 2 a d',
      'HPEXPIREAT k 205 FIELDS 1 c',
    ]);
  });
});

describe('windowCommands', () => {
  const pending = (id: string) => ({
    id: parseId(id),
    group: Buffer.from('g'),
    consumer: Buffer.from('c'),
    deliveredAt: 50,
    deliveries: 3,
  });
  const entry = (id: string) => ({ id: parseId(id), values: [Buffer.from('f'), Buffer.from('v')] });

  it('puts placeholders in the places of deleted entries, trims those in front and deletes the others', () => {
    const window = {
      through: parseId('9-0'),
      entries: [entry('5-0'), entry('9-0')],
      pending: ['1-0', '5-0', '7-0'].map(pending),
    };
    expect(windowCommands(Buffer.from('k'), window, true, 2).map((command) => command.map(String).join(' '))).toEqual([
      'XADD k 1-0 - -',
      'XCLAIM k g c 0 1-0 TIME 52 RETRYCOUNT 3 FORCE JUSTID',
      'XTRIM k MAXLEN 0',
      'XADD k 5-0 f v',
      'XADD k 7-0 - -',
      'XADD k 9-0 f v',
      'XCLAIM k g c 0 5-0 7-0 TIME 52 RETRYCOUNT 3 FORCE JUSTID',
      'XDEL k 7-0',
    ]);
    expect(windowCommands(Buffer.from('k'), window, false, 2).map(String)).not.toContain('XTRIM,k,MAXLEN,0');
  });
});

describe('driftOf a stream', () => {
  const group = { name: Buffer.from('g'), lastDelivered: '1-0', pending: 1, consumers: 1 };
  const info: StreamInfo = {
    length: 3,
    lastId: parseId('3-0'),
    entriesAdded: 3,
    maxDeleted: parseId('0-0'),
    groups: [group],
  };

  it.each([
    ['nothing happened', {}, 3, 'same'],
    ['entries were added', { length: 5, lastId: parseId('5-0'), entriesAdded: 5 }, 3, 'same'],
    ['entries were deleted before they were read', { length: 2 }, 2, 'drifted'],
    ['an entry was deleted in the middle', { maxDeleted: parseId('2-0') }, 3, 'drifted'],
    ['an entry was acknowledged', { groups: [{ ...group, pending: 0 }] }, 3, 'drifted'],
    ['the stream was made anew', { lastId: parseId('2-0') }, 3, 'mixture'],
  ] as const)('%s', (_, change, read, expected) => {
    expect(driftOf(info, { ...info, ...change }, read)).toBe(expected);
  });
});
