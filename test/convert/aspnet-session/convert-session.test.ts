import fc from 'fast-check';

import { convertSession, readCollection, TypeCode, type V4Session } from '../../../src/convert/aspnet-session';
import { vector } from './support/fixtures';
import { processorTime } from '../../tools/processor-time';

const field = (name: string, vectorName: string): [Buffer, Buffer] => [Buffer.from(name), vector(vectorName).nrbf];
const refusal = (session: V4Session, options = {}) => {
  const outcome = convertSession(session, options);
  return outcome.ok ? undefined : outcome.refusal;
};
const one = (value: Buffer | string, options = {}) =>
  refusal({ fields: [[Buffer.from('Cart'), Buffer.from(value)]] }, options);

describe('convertSession', () => {
  it('keeps the order of the hash and tells what became of each item', () => {
    const outcome = convertSession({ fields: [field('b', 'int32_42'), field('A', 'null'), field('', 'bytes')] });
    expect(outcome.ok && outcome.items).toEqual([
      { name: Buffer.from('b'), typeCode: TypeCode.Int32, size: 4 },
      { name: Buffer.from('A'), typeCode: TypeCode.Null, size: 0 },
      { name: Buffer.from(''), typeCode: TypeCode.Object, size: 32 },
    ]);
  });

  it('merges names that .NET takes for one: first spelling, last value, first place', () => {
    const outcome = convertSession({
      fields: [field('Café', 'int32_1'), field('x', 'null'), field('CAFE\u0301', 'null'), field('cafÉ', 'int32_42')],
    });
    if (!outcome.ok) throw new Error(outcome.refusal.message);
    expect(outcome.items).toEqual([
      { name: Buffer.from('Café'), typeCode: 2, size: 4, merged: [Buffer.from('CAFE\u0301'), Buffer.from('cafÉ')] },
      { name: Buffer.from('x'), typeCode: 21, size: 0 },
    ]);
    expect(readCollection(outcome.collection).items.map(({ name }) => name?.toString())).toEqual(['Café', 'x']);
  });

  it('merges tens of thousands of spellings in no time', () => {
    const spelling = (i: number): string =>
      Array.from('sessionitemofthecart', (letter, bit) => ((i >> bit) & 1 ? letter.toUpperCase() : letter)).join('');
    const spent = processorTime();
    const outcome = convertSession({ fields: Array.from({ length: 50_000 }, (_, i) => field(spelling(i), 'null')) });
    expect(outcome.ok && outcome.items[0]?.merged).toHaveLength(49_999);
    expect(spent()).toBeLessThan(2000);
  });

  it('does not merge what only looks alike', () => {
    const outcome = convertSession({ fields: [field('ID', 'int32_1'), field('ＩＤ', 'int32_42')] });
    expect(outcome.ok && outcome.items).toHaveLength(2);
  });

  it('does not depend on the input afterwards', () => {
    const value = Buffer.from(vector('string_ascii').nrbf);
    const outcome = convertSession({ fields: [[Buffer.from('a'), value]] });
    const before = outcome.ok ? outcome.collection.toString('hex') : '';
    value.fill(0);
    expect(outcome.ok && outcome.collection.toString('hex')).toBe(before);
  });

  it('every blob has no equal names, and the last value of each', () => {
    const names = fc.array(
      fc.string({ maxLength: 2, unit: fc.constantFrom('a', 'A', 'é', 'e\u0301', '\u00ad', 'ß', 'ss') }),
      { minLength: 1, maxLength: 10 },
    );
    fc.assert(
      fc.property(names, (list) => {
        const outcome = convertSession({ fields: list.map((name) => field(name, 'int32_1')) });
        if (!outcome.ok) throw new Error(outcome.refusal.message);
        // Reading refuses equal names.
        expect(readCollection(outcome.collection).items).toHaveLength(outcome.items.length);
        const dropped = outcome.items.reduce((sum, { merged }) => sum + (merged?.length ?? 0), 0);
        expect(outcome.items.length + dropped).toBe(list.length);
      }),
    );
  });
});

describe('the timeout', () => {
  const timeout = (text: string) =>
    convertSession({ fields: [field('a', 'null')], sessionTimeoutText: Buffer.from(text) });

  it.each(['1200', '60', '1', '2147483647', '59'])('%s is kept', (text) => {
    const outcome = timeout(text);
    expect(outcome.ok && outcome.timeoutText?.toString()).toBe(text);
  });

  it.each(['', '0', '-60', '1200 ', '12.5', '0x10', '2147483648', '01200', 'abc', '\u001b[2J'])(
    '%j is refused',
    (text) => {
      const outcome = timeout(text);
      expect(outcome).toMatchObject({ ok: false, refusal: { code: 'bad-timeout' } });
      expect(outcome.ok || /\p{C}/u.test(outcome.refusal.message)).toBe(false);
    },
  );

  it('is none when version 4 had none', () => {
    expect(convertSession({ fields: [field('a', 'null')] })).toMatchObject({ ok: true, timeoutText: undefined });
  });
});

describe('refusals', () => {
  it('name the field', () => {
    const name = Buffer.from('evil\u001b[31m\nname');
    const damaged = refusal({ fields: [field('a', 'null'), [name, vector('list_int').nrbf.subarray(0, -1)]] });
    expect(damaged).toMatchObject({ code: 'damaged-value', field: name });
    expect(damaged?.message).toMatch(/^item "evil\\u001b\[31m\\nname" is damaged: .* \(at byte \d+\)$/);
  });

  it.each([
    ['{"Items":[1]}', 'JSON'],
    ['<cart/>', 'XML'],
    ['hello', 'text'],
    [Buffer.from('82a16101a16202', 'hex'), 'MessagePack'],
    [Buffer.from('1f8b0800', 'hex'), 'gzip'],
    [Buffer.from('0a0568656c6c6f10ac02', 'hex'), 'protobuf'],
    ['', 'empty'],
  ])('say what foreign values look like: %s', (value, looksLike) => {
    expect(one(value)).toMatchObject({ code: 'not-binary-formatter', looksLike, field: Buffer.from('Cart') });
  });

  it('of system values that .NET would refuse', () => {
    const bad = (name: string, at: number, byte: number): Buffer => {
      const nrbf = Buffer.from(vector(name).nrbf);
      nrbf[nrbf.length - 1 - at] = byte;
      return nrbf;
    };
    expect(one(bad('bool_true', 1, 7))).toMatchObject({
      code: 'damaged-value',
      reason: /Boolean/ as unknown as string,
    });
    expect(one(bad('datetime_max', 1, 0xff))).toMatchObject({ code: 'damaged-value' });
    expect(one(bad('decimal_1', 14, 0x1d))).toMatchObject({ code: 'damaged-value' });
    expect(one(bad('char_e_acute', 1, 0x41))).toMatchObject({ code: 'damaged-value' });
  });

  it('of a DateTime that says two things, none: its stream is kept', () => {
    const nrbf = Buffer.from(vector('datetime_utc').nrbf);
    nrbf[nrbf.length - 17]! ^= 1;
    const outcome = convertSession({ fields: [[Buffer.from('a'), nrbf]] });
    expect(outcome.ok && outcome.items[0]?.typeCode).toBe(TypeCode.Object);
  });

  it('of sessions that are none, or too large', () => {
    expect(refusal({ fields: [] })).toMatchObject({ code: 'no-items' });
    expect(refusal({ fields: [[Buffer.from('ff', 'hex'), vector('null').nrbf]] })).toMatchObject({ code: 'bad-name' });
    const session = { fields: [field('a', 'bytes_300'), field('b', 'null')] };
    expect(refusal(session, { limits: { items: 1 } })).toMatchObject({ code: 'limit' });
    expect(refusal(session, { limits: { blobBytes: 100 } })).toMatchObject({ code: 'limit' });
    expect(refusal(session, { limits: { nrbf: { bytes: 100 } } })).toMatchObject({
      code: 'limit',
      field: Buffer.from('a'),
    });
  });

  it('of JSON only where it is not asked for', () => {
    expect(one('42')).toMatchObject({ code: 'not-binary-formatter', looksLike: 'JSON' });
    expect(one('42', { customSerializer: 'json' })).toBeUndefined();
    expect(one('{"$type":"Shop.Cart, Shop"}', { customSerializer: 'json' })).toMatchObject({
      code: 'unrepresentable',
      type: 'Shop.Cart, Shop',
      message: 'item "Cart" is JSON of type Shop.Cart, Shop, which has no form in version 5',
    });
  });
});
