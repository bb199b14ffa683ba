import fc from 'fast-check';

import { convertSession, itemValue, readCollection } from '../../../src/convert/aspnet-session';
import { processorTime } from '../../tools/processor-time';

const convert = (json: string | Buffer, nativeTypes = true) =>
  convertSession({ fields: [[Buffer.from('item'), Buffer.from(json)]] }, { customSerializer: 'json', nativeTypes });
const decode = (json: string | Buffer, nativeTypes = true) => {
  const outcome = convert(json, nativeTypes);
  if (!outcome.ok) return outcome.refusal;
  return itemValue(readCollection(outcome.collection).items[0]!.read());
};
const typed = (type: string, value: string): string => `{"$type":"${type}, mscorlib","$value":${value}}`;

describe('customSerializer json', () => {
  it.each([
    ['null', { kind: 'Null' }],
    ['true', { kind: 'Boolean', value: true }],
    ['false', { kind: 'Boolean', value: false }],
    ['42', { kind: 'Int64', value: 42n }],
    [' -9223372036854775808\r\n', { kind: 'Int64', value: -9223372036854775808n }],
    ['1.5', { kind: 'Double', value: 1.5, bits: 0x3ff8000000000000n }],
    ['1e3', { kind: 'Double', value: 1000, bits: 0x408f400000000000n }],
    ['-0.0', { kind: 'Double', value: -0, bits: 0x8000000000000000n }],
    ['"hello"', { kind: 'String', utf8: Buffer.from('hello') }],
    ['"a\\"\\\\\\u00e9\\ud83c\\udf89"', { kind: 'String', utf8: Buffer.from('a"\\é🎉') }],
    ['"lone \\ud83c"', { kind: 'String', utf8: Buffer.from('lone \ufffd') }],
    ['\ufeff"x"', { kind: 'String', utf8: Buffer.from('x') }],
    ['"2024-02-29T13:34:56.7891234Z"', { kind: 'DateTime', ticks: 638448104967891234n, dateTimeKind: 'Unspecified' }],
    ['"2024-02-29T13:34:56.7891234"', { kind: 'DateTime', ticks: 638448104967891234n, dateTimeKind: 'Unspecified' }],
    [
      '"2024-02-29T13:34:56.7891234+02:00"',
      { kind: 'DateTime', ticks: 638448104967891234n, dateTimeKind: 'Unspecified' },
    ],
    ['"0001-01-01T00:00:00"', { kind: 'DateTime', ticks: 0n, dateTimeKind: 'Unspecified' }],
    ['"9999-12-31T23:59:59.9999999"', { kind: 'DateTime', ticks: 3155378975999999999n, dateTimeKind: 'Unspecified' }],
    ['"\\/Date(0)\\/"', { kind: 'DateTime', ticks: 621355968000000000n, dateTimeKind: 'Unspecified' }],
    ['"\\/Date(0+0130)\\/"', { kind: 'DateTime', ticks: 621356022000000000n, dateTimeKind: 'Unspecified' }],
    ['"2024-02-30T00:00:00Z"', { kind: 'String', utf8: Buffer.from('2024-02-30T00:00:00Z') }],
    ['"2024-02-29 13:34:56"', { kind: 'String', utf8: Buffer.from('2024-02-29 13:34:56') }],
    [typed('System.String', '"2024-02-29T13:34:56Z"'), { kind: 'String', utf8: Buffer.from('2024-02-29T13:34:56Z') }],
    [typed('System.Boolean', 'true'), { kind: 'Boolean', value: true }],
    [typed('System.Byte', '255'), { kind: 'Byte', value: 255 }],
    [typed('System.SByte', '-128'), { kind: 'SByte', value: -128 }],
    [typed('System.Int16', '-32768'), { kind: 'Int16', value: -32768 }],
    [typed('System.UInt16', '65535'), { kind: 'UInt16', value: 65535 }],
    [typed('System.Int32', '-1'), { kind: 'Int32', value: -1 }],
    [typed('System.UInt32', '4294967295'), { kind: 'UInt32', value: 4294967295 }],
    [typed('System.Int64', '9007199254740993'), { kind: 'Int64', value: 9007199254740993n }],
    [typed('System.UInt64', '18446744073709551615'), { kind: 'UInt64', value: 18446744073709551615n }],
    [typed('System.Single', '0.1'), { kind: 'Single', value: Math.fround(0.1), bits: 0x3dcccccdn }],
    [typed('System.Double', '"NaN"'), { kind: 'Double', value: NaN, bits: 0x7ff8000000000000n }],
    [typed('System.Double', '"-Infinity"'), { kind: 'Double', value: -Infinity, bits: 0xfff0000000000000n }],
    [typed('System.Decimal', '1.10'), { kind: 'Decimal', text: '1.10' }],
    [
      typed('System.Decimal', '"-79228162514264337593543950335"'),
      { kind: 'Decimal', text: '-79228162514264337593543950335' },
    ],
    [typed('System.Decimal', '1E+2'), { kind: 'Decimal', text: '100' }],
    [typed('System.Char', '"漢"'), { kind: 'Char', code: 0x6f22 }],
    [
      typed('System.DateTime', '"2024-02-29T13:34:56.7891234Z"'),
      { kind: 'DateTime', ticks: 638448104967891234n, dateTimeKind: 'Unspecified' },
    ],
    [typed('System.TimeSpan', '"1.02:03:04.0050000"'), { kind: 'TimeSpan', ticks: 937840050000n }],
    [typed('System.TimeSpan', '"-00:00:00.0012345"'), { kind: 'TimeSpan', ticks: -12345n }],
    [typed('System.TimeSpan', '"10675199.02:48:05.4775807"'), { kind: 'TimeSpan', ticks: 9223372036854775807n }],
    [
      typed('System.Guid', '"00112233-4455-6677-8899-aabbccddeeff"'),
      { kind: 'Guid', bytes: Buffer.from('33221100554477668899aabbccddeeff', 'hex') },
    ],
    [typed('System.Int32', 'null'), { kind: 'Null' }],
    ['{"$value":7,"$type":"System.Int32, System.Private.CoreLib"}', { kind: 'Int32', value: 7 }],
    [
      typed('System.Byte[]', '"AAEC/w=="'),
      { kind: 'Object', nrbf: Buffer.from('0001000000ffffffff01000000000000000f010000000400000002000102ff0b', 'hex') },
    ],
  ])('%s', (json, value) => {
    expect(decode(json)).toEqual(value);
  });

  it('keeps the Kind of a DateTime without native types', () => {
    expect(decode('"2024-02-29T13:34:56Z"', false)).toMatchObject({ kind: 'DateTime', dateTimeKind: 'Utc' });
    expect(decode('"2024-02-29T13:34:56-07:00"', false)).toMatchObject({ kind: 'DateTime', dateTimeKind: 'Local' });
    expect(decode('"2024-02-29T13:34:56"', false)).toMatchObject({ kind: 'DateTime', dateTimeKind: 'Unspecified' });
    expect(decode('"x"', false)).toEqual({ kind: 'String', utf8: Buffer.from('x') });
    expect(decode('null', false)).toEqual({ kind: 'Null' });
    expect(decode(typed('System.Decimal', '-1.10'), false)).toEqual({ kind: 'Decimal', text: '-1.10' });
  });

  it.each([
    ['[1,2]', 'array'],
    ['{}', 'object'],
    ['{"a":1}', 'object'],
    ['{"$type":"Shop.Cart, Shop","Items":[]}', 'Shop.Cart, Shop'],
    [
      '{"$type":"System.Collections.Generic.List`1[[System.Int32, mscorlib]], mscorlib","$values":[1]}',
      'System.Collections.Generic.List`1[[System.Int32, mscorlib]], mscorlib',
    ],
    [typed('System.DateTimeOffset', '"2024-02-29T13:34:56Z"'), 'System.DateTimeOffset, mscorlib'],
    [typed('System.Uri', '"x"'), 'System.Uri, mscorlib'],
    [typed('System.Int32', '2147483648'), 'System.Int32, mscorlib'],
    [typed('System.Byte', '1.5'), 'System.Byte, mscorlib'],
    [typed('System.Char', '"🎉"'), 'System.Char, mscorlib'],
    [typed('System.Guid', '"x"'), 'System.Guid, mscorlib'],
    [typed('System.Byte[]', '"*"'), 'System.Byte[], mscorlib'],
    [typed('toString', '1'), 'toString, mscorlib'],
    ['9223372036854775808', 'System.Numerics.BigInteger'],
    ['1e999', 'System.Double'],
  ])('has no form for %s', (json, type) => {
    expect(decode(json)).toMatchObject({ code: 'unrepresentable', type });
  });

  it.each([
    '{"$type":',
    '"open',
    '{"a" 1}',
    '01',
    'nul',
    '"a" "b"',
    'hello',
    '{"$type":"System.Int32","$value":1}x',
    '"bad \\q"',
    '{"$type":"x",}',
    '',
  ])('refuses what is no JSON: %s', (json) => {
    expect(decode(json)).toMatchObject({ code: 'not-binary-formatter' });
  });

  it('refuses what is not UTF-8', () => {
    expect(decode(Buffer.from('"\xff"', 'latin1'))).toMatchObject({ code: 'not-binary-formatter' });
  });

  it('decodes every string, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decode(JSON.stringify(`!${text}`))).toEqual({ kind: 'String', utf8: Buffer.from(`!${text}`) });
        decode(text);
        decode(`{"$type":${JSON.stringify(text)},"$value":${JSON.stringify(text)}}`);
      }),
    );
    fc.assert(fc.property(fc.json(), (json) => void decode(json)));
  });

  it('takes no harm from deep or long values', () => {
    const spent = processorTime();
    expect(decode('['.repeat(5_000_000))).toMatchObject({ code: 'unrepresentable' });
    expect(decode('{"a":'.repeat(1_000_000))).toMatchObject({ code: 'unrepresentable' });
    expect(decode(`"${'\\\\'.repeat(2_000_000)}"`)).toMatchObject({ kind: 'String' });
    expect(decode(`"${'\\"'.repeat(2_000_000)}`)).toMatchObject({ code: 'not-binary-formatter' });
    expect(decode(' '.repeat(5_000_000))).toMatchObject({ code: 'not-binary-formatter' });
    expect(decode('9'.repeat(5_000_000))).toMatchObject({ code: 'unrepresentable' });
    expect(spent()).toBeLessThan(3000);
  });
});
