import fc from 'fast-check';

import {
  FormatError,
  itemValue,
  nrbfValue,
  readCollection,
  writeCollection,
} from '../../../src/convert/aspnet-session';
import { encodeRoot } from '../../../src/convert/aspnet-session/nrbf/root-value';
import { vectors } from './support/fixtures';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const read = (text: string) =>
  readCollection(hex(text)).items.map((item) => [item.name?.toString() ?? null, itemValue(item.read())]);
const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof FormatError) return `${error.code}: ${error.reason}`;
    throw error;
  }
  return 'none';
};

describe('readCollection, where .NET', () => {
  it('finds a session without items', () => {
    expect(readCollection(hex('00000000'))).toEqual({ items: [], trailing: 0 });
  });

  it.each([
    ['an empty value', '', /truncated/],
    ['half a count', '0200', /truncated/],
    ['a negative count', 'ffffffff', /invalid: item count is negative/],
    ['a count without items', '01000000', /truncated/],
    ['more items than bytes', 'ffffff7f ffffffff 0161', /truncated: items needs/],
    ['a name cut off', '01000000 ffffffff 0561 01000000', /truncated/],
    ['a name that is not UTF-8', '01000000 ffffffff 01ff 01000000 15', /not UTF-8/],
    ['values cut off', '01000000 ffffffff 0161 05000000 020100', /truncated: values needs 5/],
    ['a negative end', '01000000 ffffffff 0161 ffffffff 15', /negative/],
    ['equal names', '02000000ffffffff03466f6f03666f6f050000000a00000002010000000202000000', /take[sn]? for the same/],
    ['canonically equal names', '02000000 ffffffff 02c3a9 0365cc81 01000000 02000000 1515', /take[sn]? for the same/],
  ])('finds none: %s', (_, bytes, reason) => {
    expect(failure(() => readCollection(hex(bytes)))).toMatch(reason);
  });

  it('ignores bytes behind the last value', () => {
    expect(readCollection(hex('01000000 ffffffff 0161 01000000 15 ff00')).trailing).toBe(2);
  });

  it('takes an empty name', () => {
    expect(read('01000000 ffffffff 00 05000000 022a000000')).toEqual([['', { kind: 'Int32', value: 42 }]]);
  });

  it('takes an index of a null name that is none', () => {
    expect(read('01000000 07000000 0161 01000000 15')).toEqual([['a', { kind: 'Null' }]]);
  });

  it('reads null for codes that it does not know', () => {
    expect(read('02000000 ffffffff 0161 0162 01000000 03000000 00 1601')).toEqual([
      ['a', { kind: 'Unknown', typeCode: 0 }],
      ['b', { kind: 'Unknown', typeCode: 22 }],
    ]);
  });

  it('fails only for the item that lies nowhere', () => {
    const { items } = readCollection(hex('03000000 ffffffff 0161 0162 0163 09000000 05000000 06000000 15 0201000000'));
    expect(failure(() => items[0]!.read())).toMatch(/0 to 9 of 6/);
    expect(failure(() => items[1]!.read())).toMatch(/9 to 5 of 6/);
    expect(items[2]!.read().payload).toHaveLength(0);
  });

  it.each([
    ['an int cut off', '020100', /System.Int32 needs 4/],
    ['a string cut off', '010561', /truncated/],
    ['a surrogate as Char', '07eda0bc', /one UTF-16 unit/],
    ['a DateTime too late', '04ffffffffffffff7f', /out of range/],
    ['a Decimal with impossible flags', '0500000000000000000000000000001d00', /impossible flags/],
    ['a broken stream', '140001000000ffffffff010000000000000006010000000568656c6c6f', /record is missing/],
    ['no stream', '1401', /no header/],
  ])('throws only when it is read: %s', (_, value, reason) => {
    const end = value.length / 2;
    const { items } = readCollection(
      hex(
        `02000000 ffffffff 0161 0162 ${Buffer.of(end).toString('hex')}000000 ${Buffer.of(end + 1).toString('hex')}000000 ${value} 15`,
      ),
    );
    expect(failure(() => itemValue(items[0]!.read()))).toMatch(reason);
    expect(itemValue(items[1]!.read())).toEqual({ kind: 'Null' });
  });

  it('ignores garbage behind a stream’s end', () => {
    const value = Buffer.concat([vectors.find(({ name }) => name === 'string_ascii')!.nrbf, Buffer.from('garbage')]);
    expect(itemValue({ typeCode: 20, payload: value })).toEqual({ kind: 'String', utf8: Buffer.from('hello') });
  });
});

describe('a collection', () => {
  const sizes = [-1, -1, 4, 1, 8, 16, 1, -1, 4, 8, 1, 2, 8, 2, 4, 8, 8, 16, 8, 8];
  const native = fc.integer({ min: 2, max: 19 }).chain((typeCode) => {
    const size = sizes[typeCode]!;
    return size === -1
      ? fc.constant({ typeCode, payload: Buffer.from('é') })
      : fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => ({ typeCode, payload: Buffer.from(bytes) }));
  });
  const other = fc.constantFrom(...vectors.filter(({ nrbf }) => nrbf.length < 3000)).map(({ item }) => ({
    typeCode: item[0]!,
    payload: item.subarray(1),
  }));
  const names = fc.uniqueArray(fc.string({ maxLength: 200 }), {
    maxLength: 30,
    selector: (name) => name.toLowerCase(),
  });

  it('is read as it was written', () => {
    const items = names.chain((list) =>
      fc
        .tuple(fc.array(fc.oneof(native, other), { minLength: list.length, maxLength: list.length }), fc.nat(40))
        .map(([values, nameless]) =>
          values.map((value, i) => ({ name: i === nameless ? null : Buffer.from(list[i]!), ...value })),
        ),
    );
    fc.assert(
      fc.property(items, (list) => {
        const blob = writeCollection(list);
        const stored = readCollection(blob);
        expect(stored.trailing).toBe(0);
        expect(stored.items.map((item) => item.read())).toEqual(list);
        expect(writeCollection(stored.items.map((item) => item.read())).equals(blob)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('has at most one item without a name', () => {
    const item = { name: null, typeCode: 21, payload: Buffer.alloc(0) };
    expect(() => writeCollection([item, item])).toThrow(TypeError);
  });
});

describe('a lone value in a stream', () => {
  it.each(vectors.filter(({ typeCode, name }) => typeCode < 20 && name !== 'uintptr'))(
    '$name is written back alike',
    ({ nrbf, item }) => {
      const value = nrbfValue(nrbf);
      const kind = value.kind === 'DateTime' ? { Unspecified: 0, Utc: 1, Local: 2 }[value.dateTimeKind] : 0;
      expect(encodeRoot(item[0]!, item.subarray(1), kind).equals(nrbf)).toBe(true);
    },
  );

  it('is the same value as in version 5’s own coding', () => {
    for (const { name, nrbf, item } of vectors) {
      if (name === 'null') continue;
      const own = itemValue({ typeCode: item[0]!, payload: item.subarray(1) });
      const lone = nrbfValue(nrbf);
      expect([name, own]).toEqual([name, lone.kind === 'DateTime' ? { ...lone, dateTimeKind: 'Unspecified' } : lone]);
    }
  });
});
