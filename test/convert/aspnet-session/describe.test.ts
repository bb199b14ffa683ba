import { describeV4Session, describeV5Session, FormatError } from '../../../src/convert/aspnet-session';
import { collections, vector, vectors } from './support/fixtures';
import { int32, stream, text } from './support/nrbf-writer';
import { processorTime } from '../../tools/processor-time';

const row = (name: string) => {
  const { type, value } = describeV4Session([[Buffer.from('x'), vector(name).nrbf]])[0]!;
  return [type, value];
};
const show = (bytes: Buffer): string => describeV4Session([[Buffer.from('x'), bytes]])[0]!.value;

describe('a session for eyes', () => {
  it.each([
    ['null', 'null', 'null'],
    ['string_unicode', 'System.String', '"héllo wörld ✓ 日本 🎉"'],
    ['string_ctrl', 'System.String', '"a\\u0000b\\r\\n\\t"\\"'],
    ['int64_-9223372036854775808', 'System.Int64', '-9223372036854775808'],
    ['uint64_max', 'System.UInt64', '18446744073709551615'],
    ['double_neg0', 'System.Double', '-0'],
    ['float_0.1', 'System.Single', '0.1'],
    ['decimal_1.10', 'System.Decimal', '1.10'],
    ['decimal_tiny', 'System.Decimal', '0.0000000000000000000000000001'],
    ['datetime_utc', 'System.DateTime', '2024-02-29T13:34:56.7891234Z'],
    ['datetime_local', 'System.DateTime', '2024-02-29T13:34:56.7891234 (local)'],
    ['datetime_min', 'System.DateTime', '0001-01-01T00:00:00'],
    ['timespan_pos', 'System.TimeSpan', '1.02:03:04.0050000'],
    ['timespan_neg', 'System.TimeSpan', '-00:00:00.0012345'],
    ['guid', 'System.Guid', '00112233-4455-6677-8899-aabbccddeeff'],
    ['char_nul', 'System.Char', "'\\u0000'"],
    ['bytes', 'System.Byte[]', '0x000102ff (4 bytes)'],
    ['decimal_array', 'System.Decimal[]', '[1.10, -2]'],
    ['guid_array', 'System.Guid[]', '[00112233-4455-6677-8899-aabbccddeeff, 00000000-0000-0000-0000-000000000000]'],
    ['object_array', 'System.Object[]', '[1, "a", null, True, 2024-02-29T13:34:56.7891234Z, 1.10, 2.5, \'c\', 123]'],
    ['int_2d', 'System.Int32[,]', '[1, 2, 3, 4]'],
    ['int_jagged', 'System.Int32[][]', '[[1], [2, 3]]'],
    ['list_string', 'System.Collections.Generic.List`1[[System.String]]', '["a", "b", "c"]'],
    ['list_string_empty', 'System.Collections.Generic.List`1[[System.String]]', '[]'],
    [
      'dict_string_string',
      'System.Collections.Generic.Dictionary`2[[System.String],[System.String]]',
      '{"k": "v", "n": null}',
    ],
    ['dict_empty', 'System.Collections.Generic.Dictionary`2[[System.String],[System.Int32]]', '{}'],
    ['enum_dayofweek', 'System.DayOfWeek', '2'],
    ['dbnull', 'System.DBNull', 'DBNull'],
    ['custom_class_nullfield', 'Oracle.Address', '{Street: null, Zip: 0}'],
    ['custom_array', 'Oracle.Address[]', '[{Street: "A", Zip: 1}, null, {Street: "A", Zip: 2}]'],
    [
      'custom_cart',
      'Oracle.Cart',
      '{Items: {"sku1": 2, "sku2": 1}, Currency: "EUR", Addrs: [{Street: "S1", Zip: 1}, {Street: "S1", Zip: 2}]}',
    ],
  ])('%s', (name, type, value) => {
    expect(row(name)).toEqual([type, value]);
  });

  it('shows the same in version 5, but for the Kind of dates', () => {
    for (const { name, nrbf, blob, blobType20 } of vectors) {
      const [four] = describeV4Session([[Buffer.from(name), nrbf]]);
      const [five] = describeV5Session(blob);
      expect(five).toEqual({
        ...four,
        value:
          name.startsWith('datetime_') && four!.type === 'System.DateTime'
            ? four!.value.replace(/Z| \(local\)/, '')
            : four!.value,
      });
      if (name !== 'null') expect(describeV5Session(blobType20)).toEqual([four]);
    }
  });

  it('names what has no name or no value', () => {
    expect(describeV5Session(Buffer.from(collections.nullKeyFirst_5_b6, 'hex'))).toEqual([
      { name: '(null)', type: 'System.Int32', value: '5' },
      { name: 'b', type: 'System.Int32', value: '6' },
    ]);
    expect(describeV4Session([[Buffer.from('a\u001b]0;x\u0007'), Buffer.from('{"a":1}')]])).toEqual([
      { name: 'a\\u001b]0;x\\u0007', type: '?', value: 'not from BinaryFormatter; it looks like: JSON' },
    ]);
    expect(show(vector('list_int').nrbf.subarray(0, -1))).toMatch(/^damaged: record is missing/);
    expect(describeV5Session(Buffer.from('01000000ffffffff0161010000002a', 'hex'))[0]).toMatchObject({
      type: '?',
      value: /type code 42/ as unknown as string,
    });
    expect(() => describeV5Session(Buffer.alloc(0))).toThrow(FormatError);
  });

  it('is bounded: long text, many elements, deep and circular graphs', () => {
    expect(show(vector('string_20000').nrbf)).toMatch(/^"c{399}… \(20000 bytes\)"$/);
    expect(show(vector('string_array_nulls300').nrbf)).toMatch(/, … \(301\)\]$/);
    expect(show(stream('1001000000', int32(2), '0901000000', '0901000000'))).toMatch(/^\[\[\[\[/);
    const wide = Array.from({ length: 30 }, (_, i) =>
      Buffer.concat([
        Buffer.of(0x10),
        int32(i + 1),
        int32(20),
        ...Array<Buffer>(20).fill(Buffer.concat([Buffer.of(9), int32(Math.min(i + 2, 30))])),
      ]),
    );
    const spent = processorTime();
    expect(show(stream(...wide)).length).toBeLessThan(600);
    expect(spent()).toBeLessThan(500);
    const many = stream(
      '1001000000',
      int32(50_000),
      ...Array.from({ length: 50_000 }, (_, i) => Buffer.concat([Buffer.of(6), int32(i + 2), text('\u202eevil')])),
    );
    expect(show(many)).toMatch(/^\["\\u202eevil", /);
  });
});
