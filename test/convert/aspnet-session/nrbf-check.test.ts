import fc from 'fast-check';

import { checkNrbf, DEFAULT_NRBF_LIMITS, type NrbfCheckOptions } from '../../../src/convert/aspnet-session';
import { vectors } from './support/fixtures';
import { graph, int32, stream, text, writeGraph } from './support/nrbf-writer';
import { processorTime } from '../../tools/processor-time';

const problem = (bytes: Buffer, options?: NrbfCheckOptions): string => {
  const check = checkNrbf(bytes, options);
  return check.ok ? 'well-formed' : check.reason;
};

/** An object[] of the given length, or any of its elements' records. */
const objects = (length: number, ...elements: (Buffer | string)[]): Buffer =>
  stream('1001000000', int32(length), ...elements);

/** A class record (04) of id 1 with one member of a type; `info` is the type's additional info. */
const oneMember = (type: string, info: Buffer | string, value: Buffer | string): Buffer =>
  stream('0401000000', text('C'), int32(1), text('m'), type, info, value);

describe('checkNrbf', () => {
  it('takes all that real serializers wrote, in less steps than bytes', () => {
    for (const { nrbf, nrbfNet10, name } of vectors) {
      for (const bytes of [nrbf, nrbfNet10 ?? nrbf]) {
        const check = checkNrbf(bytes);
        expect([name, check]).toEqual([name, { ok: true, length: bytes.length, steps: expect.any(Number) as number }]);
        expect(check.ok && check.steps).toBeLessThan(bytes.length);
      }
    }
  });

  it('refuses every truncation of them', () => {
    for (const { nrbf } of vectors.filter(({ name }) => name !== 'string_20000')) {
      for (let length = 0; length < nrbf.length; length++) {
        expect(checkNrbf(nrbf.subarray(0, length)).ok).toBe(false);
      }
    }
  });

  it('takes generated graphs, and refuses them with a byte more or less', () => {
    fc.assert(
      fc.property(graph, (root) => {
        const bytes = writeGraph(root);
        expect(problem(bytes)).toBe('well-formed');
        expect(checkNrbf(bytes.subarray(0, -1)).ok).toBe(false);
        const longer = Buffer.concat([bytes, Buffer.of(0)]);
        expect(checkNrbf(longer)).toMatchObject({ ok: false, offset: bytes.length });
        expect(checkNrbf(longer, { trailing: 'ignore' })).toMatchObject({ ok: true, length: bytes.length });
      }),
      { numRuns: 300 },
    );
  });

  describe('takes what BinaryFormatter writes but rarely', () => {
    it.each([
      ['a pair of surrogates in char[]', stream('0f01000000', int32(4), '03', Buffer.from('a🎉b'))],
      ['an array with a lower bound', stream('0701000000', '03', int32(1), int32(1), int32(5), '0008', int32(7))],
      [
        'a rectangular array with lower bounds',
        stream('0701000000', '05', int32(2), int32(2), int32(1), int32(5), int32(-1), '01', '0a0a'),
      ],
      [
        'an array of arrays with a lower bound',
        stream('0701000000', '04', int32(1), int32(2), int32(1), '0708', '0d02'),
      ],
      [
        'a library in front of a member',
        oneMember(
          '02',
          '',
          Buffer.concat([Buffer.of(0x0c), int32(9), text('L'), Buffer.of(5), int32(-2), text('S'), int32(0), int32(9)]),
        ),
      ],
      ['two value types with one negative id', objects(2, '04fdffffff', text('S'), int32(0), '01fdffffff', 'fdffffff')],
      ['a boxed number where a class is declared', oneMember('03', text('System.IComparable'), '080805000000')],
      ['an array of itself', objects(1, '0901000000')],
      ['an object that comes later', objects(1, '0907000000', '0607000000', text('x'))],
      ['a library that only comes at the end', stream('0601000000', text('x'), '0c02000000', text('L'))],
    ])('%s', (_, bytes) => {
      expect(problem(bytes)).toBe('well-formed');
    });
  });

  describe('refuses', () => {
    it.each([
      ['nothing', Buffer.alloc(0), /no header/],
      ['another header', Buffer.concat([Buffer.from('0002000000ffffffff0100000000000000', 'hex')]), /no header/],
      ['a header alone', stream().subarray(0, 17), /record is missing/],
      ['no object', stream(), /no object/],
      ['a root with another id', stream('0602000000', text('x')), /id 2, not 1/],
      ['a second header', stream('0601000000', text('x'), '00'), /cannot stand here|needs/],
      ['an unknown record', stream('0601000000', text('x'), '1702000000'), /record 23 cannot/],
      ['a method call', stream('1501000000'), /record 21 cannot/],
      ['an untyped class', stream('0301000000', text('C'), int32(0), int32(2)), /record 3 cannot/],
      ['null as root', stream('0a01000000'), /record 10 cannot/],
      ['an id used twice', stream('0601000000', text('x'), '0601000000', text('y')), /used twice/],
      ['a library with an object’s id', stream('0601000000', text('x'), '0c01000000', text('y')), /used twice/],
      ['a negative string id', objects(1, '06ffffffff', text('x')), /not positive/],
      ['a negative id at the top', stream('0601000000', text('x'), '04feffffff', text('C'), int32(0)), /not positive/],
      ['id 0', objects(1, '0400000000', text('C'), int32(0)), /id is 0/],
      ['a reference to nothing', objects(1, '0907000000'), /object 7, which is not there/],
      [
        'a reference to a library',
        stream('0c02000000', text('L'), '1001000000', int32(1), '0902000000'),
        /is a library/,
      ],
      [
        'a reference to a value type',
        objects(2, '04fdffffff', text('S'), int32(0), '09fdffffff'),
        /reference to object -3/,
      ],
      ['a string that is no string', stream('1101000000', int32(1), '0901000000'), /not a string/],
      [
        'a later string that is no string',
        stream('1101000000', int32(1), '0902000000', '1002000000', int32(0)),
        /not a string/,
      ],
      ['an unknown library', stream('0501000000', text('C'), int32(0), int32(2)), /library 2 was not declared/],
      ['an unknown library of a member', oneMember('04', '015307000000', '0a'), /library 7 was not declared/],
      ['unknown metadata', stream('010100000005000000'), /metadata 5/],
      ['metadata of a later class', objects(1, '01feffffff05000000', '0405000000', text('C'), int32(0)), /metadata 5/],
      ['an unknown member type', oneMember('08', '', '0a'), /member type 8/],
      ['a primitive that is none', oneMember('00', '04', '0a'), /primitive type 4/],
      ['a string as primitive', objects(1, '0812', text('x')), /primitive type 18/],
      [
        'two members of one name',
        stream('0401000000', text('C'), int32(2), text('m'), text('m'), '0202', '0a0a'),
        /same name/,
      ],
      ['a class without a name', stream('0401000000', '00', int32(0)), /name is empty/],
      ['a library without a name', stream('0c0200000000'), /name is empty/],
      ['a negative member count', stream('0401000000', text('C'), int32(-1)), /count is negative/],
      ['more members than bytes', stream('0401000000', text('C'), int32(0x7fffffff)), /members needs/],
      ['a negative array length', objects(-1), /length is negative/],
      ['a run of no nulls', objects(1, '0d00'), /run of 0 nulls/],
      ['a negative run of nulls', objects(1, '0effffffff'), /run of -1 nulls/],
      ['a run of too many nulls', objects(3, '0d04'), /run of 4 nulls where 3/],
      ['a run of nulls in a class', oneMember('02', '', '0d01'), /record 13 cannot/],
      ['null where a number is due', oneMember('00', '08', '0a'), /needs 4 bytes/],
      [
        'an array inside an object',
        oneMember('02', '', Buffer.concat([Buffer.from('1005000000', 'hex'), int32(0)])),
        /record 16 cannot/,
      ],
      [
        'a class where a string is due',
        stream('1101000000', int32(1), '04feffffff', text('C'), int32(0)),
        /record 4 cannot/,
      ],
      ['a number where an array is due', oneMember('07', '08', '080805000000'), /record 8 cannot/],
      ['the end inside an array', objects(2, '0a'), /record 11 cannot/],
      ['null behind a library', objects(1, '0c02000000', text('L'), '0a'), /follows a library/],
      ['rank 0', stream('0701000000', '00', int32(0)), /rank 0/],
      ['rank 33', stream('0701000000', '02', int32(33)), /rank 33/],
      ['rank 1 for a rectangle', stream('0701000000', '02', int32(1)), /rank 1/],
      ['rank 2 for a row', stream('0701000000', '00', int32(2)), /rank 2/],
      [
        'a run of nulls in a rectangle',
        stream('0701000000', '02', int32(2), int32(1), int32(2), '02', '0d02'),
        /record 13 cannot/,
      ],
      ['an array of arrays without arrays', stream('0701000000', '01', int32(1), int32(1), '02', '0a'), /is no array/],
      ['an unknown array kind', stream('0701000000', '06'), /array kind 6/],
      [
        'a lower bound too high',
        stream('0701000000', '03', int32(1), int32(2), int32(0x7fffffff), '02', '0d02'),
        /past index/,
      ],
      [
        'a rectangle too large',
        stream('0701000000', '02', int32(2), int32(65536), int32(65536), '02'),
        /more than 2147483647/,
      ],
      ['text that is not UTF-8', stream('0601000000', '02c328'), /not UTF-8/],
      ['a length of six bytes', stream('0601000000', 'ffffffffff01'), /over 2147483647/],
      ['a Boolean 2', stream('0f01000000', int32(1), '01', '02'), /neither 0 nor 1/],
      ['a DateTime too late', stream('0f01000000', int32(1), '0d', 'ffffffffffffff3f'), /past the year/],
      ['half a character', stream('0f01000000', int32(1), '03', Buffer.from('🎉')), /one UTF-16 unit/],
      ['a decimal that is none', objects(1, '0805', text('1,5')), /not a decimal/],
      ['a decimal too large', objects(1, '0805', text('79228162514264337593543950336')), /not a decimal/],
    ])('%s', (_, bytes, reason) => {
      expect(problem(bytes)).toMatch(reason);
    });
  });

  describe('hostile streams cost nothing', () => {
    const quick = (bytes: Buffer, options?: NrbfCheckOptions): string => {
      const before = process.memoryUsage();
      const spent = processorTime();
      const reason = problem(bytes, options);
      expect(spent()).toBeLessThan(3000);
      const after = process.memoryUsage();
      expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(300_000_000);
      return reason;
    };

    it.each([
      ['an array of 2 GiB of bytes', stream('0f01000000', int32(0x7fffffff), '02'), /System.Byte needs/],
      ['an array of 2 G decimals', stream('0f01000000', int32(0x7fffffff), '05'), /System.Decimal needs/],
      ['an array of 2 G nulls', objects(0x7fffffff, '0effffff7f'), /more than 16777216 elements/],
      [
        'two arrays of nulls within the limit each',
        objects(10_000_000, '0e80969800', '1002000000', int32(10_000_000), '0e80969800'),
        /more than 16777216/,
      ],
      ['a string of 2 GiB', stream('0601000000', 'ffffffff07'), /needs 2147483647/],
    ])('%s', (_, bytes, reason) => {
      expect(quick(bytes)).toMatch(reason);
    });

    it('value types in one another without end', () => {
      const one = Buffer.concat([Buffer.of(4), int32(-2), text('S'), int32(1), text('m'), Buffer.of(2)]);
      const many = Buffer.concat([
        Buffer.from('0401000000', 'hex'),
        one.subarray(5),
        ...Array<Buffer>(100_000).fill(one),
      ]);
      expect(quick(stream(many))).toMatch(/64 deep/);
      expect(quick(stream(many), { limits: { depth: 1_000_000 } })).toMatch(/record 11 cannot/);
    });

    it('millions of objects, references and libraries', () => {
      const many = 1_100_000;
      const repeat = (size: number, fill: (bytes: Buffer, at: number, i: number) => void): Buffer => {
        const bytes = Buffer.alloc(many * size);
        for (let i = 0; i < many; i++) fill(bytes, i * size, i);
        return bytes;
      };
      const strings = repeat(6, (bytes, at, i) => bytes.writeInt32LE(i + 2, bytes.writeUInt8(6, at)));
      expect(quick(objects(many, strings))).toMatch(/more than 1000000 objects/);
      const references = repeat(5, (bytes, at, i) => bytes.writeInt32LE(i + 2, bytes.writeUInt8(9, at)));
      expect(quick(objects(many, references))).toMatch(/more than 1000000 references/);
      const inline = repeat(9, (bytes, at) => bytes.writeInt32LE(-2, bytes.writeInt32LE(-2, bytes.writeUInt8(1, at))));
      expect(quick(objects(many + 1, '04feffffff', text('S'), int32(0), inline))).toMatch(/more than 1000000 objects/);
    });

    it('a stream over the limit is not looked at', () => {
      expect(problem(stream('0601000000', text('x')), { limits: { bytes: 10 } })).toMatch(/over 10 bytes/);
      expect(DEFAULT_NRBF_LIMITS.bytes).toBe(512 * 1024 * 1024);
    });
  });
});
