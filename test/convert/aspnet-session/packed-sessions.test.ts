import fc from 'fast-check';
import {
  convertSession,
  firstEqualNames,
  writeCollection,
  readCollection,
  type ConvertOptions,
} from '../../../src/convert/aspnet-session';
import { unpackFields } from '../../../src/convert/aspnet-session/packed-fields';
import { joinFields, type Fields } from '../../../src/convert/aspnet-session/fields';
import { surelyDiffer } from '../../../src/convert/aspnet-session/names';
import { corpus } from './support/corpus';
import { expectedSessions, snapshotFile, vectors } from './support/fixtures';
import { mutate, random, type Random } from './support/mutate';
import { pack, unpack, type Pair } from './support/pack';
import { readHashes } from './support/rdb-hashes';

const MUTATIONS = 120_000;
const MODES: readonly ConvertOptions[] = [
  {},
  { nativeTypes: false },
  { customSerializer: 'json' },
  { nativeTypes: false, customSerializer: 'json' },
];

/** What a conversion came to, in a form that shows differences. */
const told = (fields: readonly Pair[] | Buffer, options: ConvertOptions, sessionTimeoutText?: Buffer): string => {
  const outcome = convertSession({ fields, sessionTimeoutText }, options);
  if (!outcome.ok) return JSON.stringify(outcome.refusal);
  const items = outcome.items.map(({ name, typeCode, size, merged }) =>
    [name.toString('hex'), typeCode, size, merged?.map((other) => other.toString('hex'))].join(),
  );
  return [outcome.collection.toString('hex'), String(outcome.timeoutText), ...items].join('\n');
};

/**
 * The same out of parts that are tested by themselves: each value converted alone, names merged, the collection written.
 * undefined where a part is refused.
 */
function assembled(pairs: readonly Pair[], options: ConvertOptions): Buffer | undefined {
  const firsts = firstEqualNames(pairs.map(([name]) => name));
  const items = new Map<number, ReturnType<ReturnType<typeof readCollection>['items'][number]['read']>>();
  for (const [index, pair] of pairs.entries()) {
    const alone = convertSession({ fields: [pair] }, options);
    if (!alone.ok) return undefined;
    const first = firsts[index]!;
    items.set(first, { ...readCollection(alone.collection).items[0]!.read(), name: pairs[first]![0] });
  }
  return writeCollection([...items.values()]);
}

function expectSame(pairs: readonly Pair[], options: ConvertOptions): void {
  const packed = pack(pairs);
  if (told(packed, options) !== told(pairs, options)) throw new Error(`differs: ${packed.toString('hex')}`);
  const outcome = convertSession({ fields: packed }, options);
  const expected = assembled(pairs, options);
  if (outcome.ok ? expected?.equals(outcome.collection) !== true : expected !== undefined)
    throw new Error(`not the sum of its parts: ${packed.toString('hex')}`);
}

const NAMES = ['a', 'A', 'b', 'item_1', 'ITEM_1', 'é', 'e\u0301', '', 'x y', '\u00ad', '`', '@', '{', '['];

// Hundreds of thousands of refusals, each with its stack otherwise.
beforeAll(() => {
  Error.stackTraceLimit = 1;
});

describe('a session out of the packed reply is the same as out of fields and values', () => {
  it.each(vectors)('$name, alone and between others', ({ name, nrbf, nrbfNet10 }) => {
    const other = vectors[0]!.nrbf;
    for (const value of nrbfNet10 === undefined ? [nrbf] : [nrbf, nrbfNet10])
      for (const options of MODES) {
        expectSame([[Buffer.from(name), value]], options);
        expectSame(
          [
            [Buffer.from('before'), other],
            [Buffer.from(name), value],
            [Buffer.from('behind'), other],
          ],
          options,
        );
      }
  });

  it('all 170 sessions of the Redis 4 snapshot', () => {
    const hashes = readHashes(snapshotFile);
    const names = Object.keys(expectedSessions);
    expect(names).toHaveLength(170);
    for (const name of names) {
      const fields = hashes.get(Buffer.from(`${name}_Data`).toString('latin1'))!;
      for (const options of MODES) expectSame(fields, options);
    }
  });

  it('generated sessions of any size, with names that .NET takes for one', () => {
    const name = fc.oneof(
      fc.constantFrom(...NAMES).map((text) => Buffer.from(text)),
      fc.string({ maxLength: 300, unit: 'binary' }).map((text) => Buffer.from(text)),
    );
    const value = fc.constantFrom(...corpus, ...['{"a":1}', '"text"', '12'].map((text) => Buffer.from(text)));
    const session = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(session, fc.constantFrom(...MODES), (pairs, options) => {
        expectSame(pairs, options);
      }),
      { numRuns: 2_000 },
    );
  });

  it(`${MUTATIONS} damaged streams: values, names, lengths`, () => {
    const next = random(4_729);
    const seen = { damaged: 0, converted: 0, refused: 0 };
    for (let round = 0; round < MUTATIONS; round++) {
      const packed = damagedSession(next);
      const options = MODES[next(MODES.length)]!;
      const timeout = next(2) === 0 ? undefined : Buffer.from(['1200', '60', '0', '01', '4294967296', ''][next(6)]!);
      const pairs = unpack(packed);
      if (pairs === undefined) {
        expectRefusal(() => convertSession({ fields: packed }, options));
        seen.damaged++;
        continue;
      }
      const outcome = told(packed, options, timeout);
      if (outcome !== told(pairs, options, timeout)) throw new Error(`differs: ${packed.toString('hex')}`);
      if (outcome.startsWith('{')) {
        seen.refused++;
        continue;
      }
      seen.converted++;
      const collection = Buffer.from(outcome.slice(0, outcome.indexOf('\n')), 'hex');
      if (assembled(pairs, options)?.equals(collection) !== true)
        throw new Error(`not whole: ${packed.toString('hex')}`);
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(MUTATIONS / 20);
  });
});

/** As `expect(…).toThrow(…)`, many times as fast. */
function expectRefusal(read: () => unknown): void {
  let message = 'no error';
  try {
    read();
  } catch (error) {
    message = String(error);
  }
  if (!message.includes('The server packed a session in an unexpected form.')) throw new Error(message);
}

/** A packed session of one to five items, with something wrong in about two of three. */
function damagedSession(next: Random): Buffer {
  const pairs = Array.from({ length: 1 + next(5) }, (_, i): Pair => {
    const name = next(3) === 0 ? NAMES[next(NAMES.length)]! : `item_${i}`;
    const value = corpus[next(corpus.length)]!;
    const isDamaged = next(6) === 0;
    const damagedName = next(30) === 0 ? Buffer.of(0xff, next(256)) : Buffer.from(name);
    return [damagedName, isDamaged ? mutate(value, corpus[next(corpus.length)]!, next) : value];
  });
  const packed = pack(pairs);
  switch (next(8)) {
    case 0:
      return mutate(packed, pack(pairs.slice(1)), next);
    case 1: {
      // A head, or what is taken for one.
      packed[next(Math.min(packed.length, 12))] = next(256);
      return packed;
    }
    default:
      return packed;
  }
}

describe('unpackFields', () => {
  const pairsOf = (fields: Fields): Pair[] =>
    Array.from({ length: fields.count }, (_, i): Pair => [fields.name(i), fields.value(i)]);

  it('reads what scripts write, at every length where the form changes', () => {
    for (const count of [0, 1, 7, 8, 32_767, 32_768]) {
      const pairs = Array.from({ length: count }, (_, i): Pair => [Buffer.from(String(i)), Buffer.alloc(0)]);
      expect(unpackFields(pack(pairs)).count).toBe(count);
    }
    for (const length of [0, 31, 32, 255, 256, 65_535, 65_536]) {
      const pairs: Pair[] = [[Buffer.alloc(length, 'n'), Buffer.alloc(length, 'v')]];
      expect(pairsOf(unpackFields(pack(pairs)))).toEqual(pairs);
      expect(pairsOf(joinFields(pairs))).toEqual(pairs);
    }
  });

  it.each([
    ['nothing', ''],
    ['a number', '01'],
    ['a map', '81a161a162'],
    ['an odd number of strings', '93a161a162a163'],
    ['an array that ends early', '92a161'],
    ['a head that is cut off', 'dc00'],
    ['four thousand million strings', 'ddfffffffe'],
    ['a string longer than all', '92a161db7fffffff'],
    ['a string of four thousand million bytes', '92a161dbffffffff'],
    ['a length that is cut off', '92a161da01'],
    ['a number among strings', '92a16101'],
    ['nil', '92a161c0'],
    ['bytes behind', '92a161a16200'],
  ])('refuses %s', (_, hex) => {
    expect(unpack(Buffer.from(hex, 'hex'))).toBeUndefined();
    expect(() => unpackFields(Buffer.from(hex, 'hex'))).toThrow('unexpected form');
  });

  it('agrees with a second reader on any bytes, and reads none beyond them', () => {
    const next = random(11);
    const whole = pack([
      [Buffer.from('a'), corpus[0]!],
      [Buffer.alloc(40, 'n'), Buffer.alloc(300, 'v')],
    ]);
    let read = 0;
    for (let round = 0; round < 50_000; round++) {
      const bytes =
        round % 2 === 0
          ? mutate(whole, corpus[next(corpus.length)]!, next)
          : Buffer.from(Array.from({ length: next(12) }, () => [0x92, 0xdc, 0xd9, 0xa1, 0x00, 0x02, 0xc4][next(7)]!));
      // Part of a longer piece of memory, as replies are.
      const packed = Buffer.concat([bytes, Buffer.alloc(64, 0xa0)]).subarray(0, bytes.length);
      const expected = unpack(packed);
      if (expected === undefined) {
        expectRefusal(() => unpackFields(packed));
        continue;
      }
      read++;
      const pairs = pairsOf(unpackFields(packed));
      if (pairs.length !== expected.length) throw new Error(packed.toString('hex'));
      pairs.forEach(([name, value], i) => {
        if (!name.equals(expected[i]![0]) || !value.equals(expected[i]![1])) throw new Error(packed.toString('hex'));
      });
    }
    expect(read).toBeGreaterThan(500);
  });
});

describe('surelyDiffer', () => {
  const differ = (...names: string[]) =>
    surelyDiffer(joinFields(names.map((name) => [Buffer.from(name), Buffer.alloc(0)])));

  it('is true for plain names, and never for names that .NET takes for one', () => {
    expect(differ('a', 'b', 'A1', 'item_1', 'item_2')).toBe(true);
    expect(differ(...Array.from({ length: 1_000 }, (_, i) => `item_${i}`))).toBe(true);
    expect(differ('Cart', 'b', 'cART')).toBe(false);
    expect(differ('é')).toBe(false);
    expect(differ('a\u0000')).toBe(false);
    const names = fc.array(fc.string({ maxLength: 3, unit: fc.constantFrom('a', 'A', 'b', '@', '`', '[', '{', 'ß') }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(names, (list) => {
        if (!differ(...list)) return;
        expect(firstEqualNames(list.map((name) => Buffer.from(name)))).toEqual(list.map((_, i) => i));
      }),
      { numRuns: 2_000 },
    );
  });
});
