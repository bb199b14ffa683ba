import fc from 'fast-check';
import { PackedReader } from '../../src/redis/message-pack';
import { onEveryServer } from '../tools/test-server';

onEveryServer((at) => {
  it('reads what cmsgpack packs, to the byte', async () => {
    const strings = [0, 1, 31, 32, 255, 256, 65_535, 65_536, 300_000].map((length) =>
      Buffer.alloc(length, length % 251),
    );
    const numbers = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 1_795_000_000_123, 2 ** 53 - 1];
    const all = [...numbers, ...numbers.slice(1).map((value) => -value), -32, -33, -129, -32_769];
    const packed = (await (
      await at().connect()
    ).call(
      'EVAL',
      `local t = {} for i = 1, #KEYS do t[i] = KEYS[i] end
       for i = 1, #ARGV do t[#KEYS + i] = tonumber(ARGV[i]) end
       t[#t + 1] = false
       return cmsgpack.pack(t)`,
      String(strings.length),
      ...strings,
      ...all.map(String),
    )) as Buffer;
    const reader = new PackedReader(packed);
    expect(reader.array()).toBe(strings.length + all.length + 1);
    for (const expected of strings) {
      expect(reader.isBytes()).toBe(true);
      expect(reader.bytes().equals(expected)).toBe(true);
    }
    expect(reader.isBytes()).toBe(false);
    expect(all.map(() => reader.number())).toEqual(all);
    expect(reader.number()).toBe(0);
  });

  it('reads an empty table and an array of many', async () => {
    const empty = (await (await at().connect()).call('EVAL', 'return cmsgpack.pack({})', '0')) as Buffer;
    expect(new PackedReader(empty).array()).toBe(0);
    const many = (await (
      await at().connect()
    ).call('EVAL', 'local t = {} for i = 1, 70000 do t[i] = i end return cmsgpack.pack(t)', '0')) as Buffer;
    const reader = new PackedReader(many);
    expect(reader.array()).toBe(70_000);
    for (let i = 1; i <= 70_000; i++) if (reader.number() !== i) throw new Error(`${i} is wrong`);
  });
});

describe('bytes that no script packed', () => {
  it('are refused, and nothing beyond them is read', () => {
    const read = (packed: Buffer) => {
      const reader = new PackedReader(packed);
      for (let left = reader.array(); left > 0; left--)
        if (reader.isBytes()) reader.bytes();
        else reader.number();
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          read(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 5_000 },
    );
    expect(() => {
      read(Buffer.from([0x91, 0xda, 0x00, 0x05, 0x61]));
    }).toThrow(RangeError);
    expect(() => {
      read(Buffer.from([0xa1, 0x61]));
    }).toThrow(RangeError);
  });
});
