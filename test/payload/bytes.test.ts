import fc from 'fast-check';
import { BadPayloadError, ByteReader } from '../../src/payload/byte-reader';
import { combineCrc64, Crc64 } from '../../src/payload/crc64';
import { Element, type Elements } from '../../src/payload/element';
import { isIntact, payloadVersionOf, withFooter, withVersion } from '../../src/payload/footer';
import { compress, decompress, mayUnpackTo } from '../../src/payload/lzf';
import { Members } from '../../src/payload/members';
import { Output } from '../../src/payload/output';
import { readString, skipString, writeString } from '../../src/payload/rdb-string';
import { scoreOfText } from '../../src/payload/score';
import { Ziplist, ZiplistBuilder } from '../../src/payload/ziplist';
import { crc64, stamp } from '../tools/payloads';

const bytes = (maxLength = 300) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
/** Bytes as they compress: of few kinds, in pieces that come again. */
const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 90 })), { maxLength: 30 })
  .map((pieces) => Buffer.concat(pieces.flatMap(([piece, times]) => Array<Uint8Array>(times).fill(piece))));

describe('checksums', () => {
  it('are those of Redis, whatever the length and wherever the bytes begin', () => {
    expect(new Crc64().update(Buffer.from('123456789')).value).toBe(0xe9c6d914c4b8d9can);
    fc.assert(
      fc.property(bytes(), fc.nat(20), (all, start) => {
        expect(new Crc64().update(all, Math.min(start, all.length)).value).toBe(crc64(all.subarray(start)));
      }),
    );
  });

  it('of pieces make that of the whole', () => {
    fc.assert(
      fc.property(bytes(), bytes(), (one, other) => {
        const whole = crc64(Buffer.concat([one, other]));
        expect(combineCrc64(crc64(one), crc64(other), other.length)).toBe(whole);
        expect(new Crc64().update(one).update(other).value).toBe(whole);
      }),
    );
    const long = Buffer.alloc(3_000_001, 'some text');
    const rest = new Crc64().update(long, 17).value;
    expect(combineCrc64(crc64(long.subarray(0, 17)), rest, long.length - 17)).toBe(new Crc64().update(long).value);
  });

  it('are taken back byte by byte, and go on from where they stand', () => {
    fc.assert(
      fc.property(bytes(), bytes(20), (one, other) => {
        const crc = new Crc64().update(one).update(other);
        for (const byte of [...other].reverse()) crc.undo(byte);
        expect(crc.value).toBe(crc64(one));
        const stored = Buffer.alloc(12);
        crc.writeTo(stored, 3);
        expect(crc.standsAt(stored, 3)).toBe(true);
        expect(stored.readBigUInt64LE(3)).toBe(crc.value);
        expect(Crc64.from(stored, 3).update(other).value).toBe(crc64(Buffer.concat([one, other])));
      }),
    );
  });
});

describe('footers', () => {
  it('are put on, and exchanged without a look at the value', () => {
    fc.assert(
      fc.property(bytes(), fc.nat(65_535), fc.nat(65_535), (value, old, other) => {
        const payload = stamp(value, old);
        expect(withFooter(Buffer.concat([value, Buffer.from('more')]), value.length, old)).toEqual(payload);
        expect(isIntact(payload)).toBe(true);
        const stamped = withVersion(payload, other);
        expect(stamped).toEqual(stamp(value, other));
        expect(payloadVersionOf(stamped)).toBe(other);
        expect(payload).toEqual(stamp(value, old));
      }),
    );
  });

  it('do not mend what is damaged', () => {
    fc.assert(
      fc.property(bytes(), fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, change) => {
        const payload = stamp(value, 12);
        const at = place % payload.length;
        payload[at] = (payload[at] ?? 0) ^ change;
        expect(isIntact(payload)).toBe(false);
        expect(isIntact(withVersion(payload, 9))).toBe(false);
      }),
    );
  });
});

describe('compression', () => {
  it('gives back what went in, and is never longer than it may be', () => {
    fc.assert(
      fc.property(fc.oneof(bytes(), repetitive), fc.nat(10), (value, start) => {
        const from = Math.min(start, value.length);
        const size = value.length - from;
        const out = Buffer.alloc(size + 13, 0xee);
        const packed = compress(value, from, value.length, out, 5, size);
        expect(out.subarray(0, 5)).toEqual(Buffer.alloc(5, 0xee));
        expect(out.subarray(5 + size)).toEqual(Buffer.alloc(8, 0xee));
        expect(packed).toBeLessThanOrEqual(size);
        if (packed === 0) return;
        const unpacked = Buffer.alloc(size);
        decompress(out, 5, 5 + packed, size, unpacked);
        expect(unpacked).toEqual(value.subarray(from));
        decompress(out, 5, 5 + packed, size);
        expect(mayUnpackTo(packed, size)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('makes of what repeats about a hundredth', () => {
    const value = Buffer.alloc(100_000, 'abc');
    const packed = compress(value, 0, value.length, Buffer.alloc(value.length), 0, value.length);
    expect(packed).toBeGreaterThan(0);
    expect(packed).toBeLessThan(1_300);
  });

  const untouched = Buffer.alloc(1_000, 0xee);

  it('of nothing is nothing that servers take', () => {
    expect(
      attempt(() => {
        decompress(Buffer.alloc(0), 0, 0, 0);
      }),
    ).toBe(false);
    expect(compress(Buffer.from('aaaa'), 2, 2, Buffer.alloc(10), 0, 10)).toBe(0);
  });

  it('is taken back only where it becomes exactly what it says', () => {
    fc.assert(
      fc.property(bytes(60), fc.nat(300), (packed, size) => {
        const out = Buffer.alloc(size + 1_000, 0xee);
        const tried = attempt(() => {
          decompress(packed, 0, packed.length, size, out);
        });
        expect(
          attempt(() => {
            decompress(packed, 0, packed.length, size);
          }),
        ).toBe(tried);
        expect(out.subarray(size).equals(untouched)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

/** Whether it was done; what is bad payload is told, everything else is thrown on. */
function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof BadPayloadError) return false;
    throw error;
  }
}

const elements = fc.array(
  fc.oneof(
    bytes(80),
    fc.constantFrom(63, 64, 253, 254, 255, 16_383, 16_384, 70_000).map((length) => Buffer.alloc(length, 'x')),
    fc.integer(),
    fc.integer({ min: -200, max: 200 }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  ),
  { maxLength: 30 },
);

function elementOf(value: Buffer | number | bigint): Element {
  const element = new Element();
  if (typeof value === 'number') element.setInteger(value);
  else if (typeof value === 'bigint') element.setLarge(value);
  else element.setText(value, 0, value.length);
  return element;
}

function textOf(value: Buffer | number | bigint): string {
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value);
}

function textsOf(all: Elements): string[] {
  const element = new Element();
  const texts: string[] = [];
  while (all.next(element)) texts.push(element.copy().toString('latin1'));
  return texts;
}

it('a ziplist holds what was put into it, and no damaged one is read to its end unseen beyond it', () => {
  fc.assert(
    fc.property(elements, fc.nat(), fc.integer({ min: 1, max: 255 }), (values, place, change) => {
      const builder = new ZiplistBuilder(new Output());
      for (const value of values) builder.add(elementOf(value));
      const out = new Output();
      builder.closeInto(out, false);
      const reader = new ByteReader(out.bytes, 0, out.length);
      const element = new Element();
      readString(reader, element);
      expect(reader.at).toBe(out.length);
      const list = element.copy();
      expect(textsOf(new Ziplist(list, 0, list.length))).toEqual(values.map(textOf));
      list[place % list.length] = (list[place % list.length] ?? 0) ^ change;
      attempt(() => textsOf(new Ziplist(list, 0, list.length)));
    }),
  );
});

it('strings are read as they were written, also compressed, and gone over without being read', () => {
  fc.assert(
    fc.property(
      fc.oneof(bytes(), repetitive, fc.integer(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
      fc.boolean(),
      (value, packed) => {
        const out = new Output(8);
        const element = elementOf(value);
        element.compressed = packed;
        writeString(out, element);
        const read = new Element();
        for (const go of [
          (reader: ByteReader) => {
            readString(reader, read);
          },
          skipString,
        ]) {
          const reader = new ByteReader(out.bytes, 0, out.length);
          go(reader);
          expect(reader.at).toBe(out.length);
          for (let end = 0; end < out.length; end += 1 + Math.floor(out.length / 50)) {
            expect(
              attempt(() => {
                go(new ByteReader(out.bytes, 0, end));
              }),
            ).toBe(false);
          }
        }
        readString(new ByteReader(out.bytes, 0, out.length), read);
        expect(read.copy().toString('latin1')).toBe(textOf(value));
      },
    ),
  );
});

it('what a string claims to become is not believed', () => {
  const claims = Buffer.from([0xc3, 4, 0x81, 0, 0, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
  expect(
    attempt(() => {
      readString(new ByteReader(claims, 0, claims.length), new Element());
    }),
  ).toBe(false);
  const lengths = Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
  expect(
    attempt(() => {
      readString(new ByteReader(lengths, 0, lengths.length), new Element());
    }),
  ).toBe(false);
});

it('members are told apart, whatever their number and length, and forgotten when it is asked for', () => {
  const members = new Members();
  for (let round = 0; round < 3; round++) {
    members.clear();
    const known = new Set<string>();
    fc.assert(
      fc.property(elements, (values) => {
        for (const value of values) {
          const text = textOf(value);
          expect(
            attempt(() => {
              members.add(elementOf(value));
            }),
          ).toBe(!known.has(text));
          known.add(text);
          expect(members.count).toBe(known.size);
        }
      }),
    );
  }
  members.clear();
  for (let i = 0; i < 200_000; i++) members.add(elementOf(i));
  for (const again of [0, 1, 77_777, 199_999])
    expect(
      attempt(() => {
        members.add(elementOf(again));
      }),
    ).toBe(false);
});

describe('scores', () => {
  const score = (text: string) => scoreOfText(Buffer.from(text), 0, text.length);

  it('are the numbers that their texts say', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer().map((n) => n / 8),
        ),
        (number) => {
          expect(score(String(number).replace('e+', 'e'))).toBe(number === 0 ? 0 : number);
          expect(score(number.toPrecision(17))).toBe(Number(number.toPrecision(17)));
        },
      ),
    );
    expect([score('inf'), score('-inf'), score('-0'), score('5e-324')]).toEqual([Infinity, -Infinity, -0, 5e-324]);
  });

  it.each(['', 'nan', '-nan', 'Infinity', '1e', '.', '-', '1.', '.5', '0x10', ' 1', '1 ', '1'.repeat(41), 'infinity'])(
    '"%s" is none',
    (text) => {
      expect(
        attempt(() => {
          score(text);
        }),
      ).toBe(false);
    },
  );
});
