import { endOfRange, startCursor } from '../../src/keyspace/cursor';
import { combineCrc64 } from '../../src/payload/crc64';
import { LayoutReader } from '../../src/payload/file-layout';
import { AUX, crcOf, RESIZE, SELECT, SLOT_INFO, writeEnd, writeHead, writeKey } from '../../src/payload/file-records';
import { withFooter } from '../../src/payload/footer';
import { Output } from '../../src/payload/output';
import { sourceFileOf } from '../../src/payload/source-file';
import { FileReader } from '../../src/transfer/file-reader';

function text(value: string): Buffer {
  const out = new Output();
  out.byte(0);
  out.rdbString(Buffer.from(value), 0, value.length);
  return withFooter(out.bytes, out.length, 9);
}

function fileOf(write: (out: Output) => void): Buffer {
  const out = new Output();
  writeHead(out, 9, []);
  write(out);
  writeEnd(out, (end) => combineCrc64(crcOf(out.bytes.subarray(0, out.length - 1)), crcOf(end.subarray(-1)), 1));
  return out.copy();
}

async function keysIn(file: Buffer, largeBytes: number): Promise<string[]> {
  const layout = new LayoutReader(largeBytes);
  layout.push(file);
  const source = sourceFileOf(layout.finish(), file.length, 'etag');
  const store = {
    read: (_: string, __: string, start: number, length: number) =>
      Promise.resolve(Buffer.from(file.subarray(start, start + length))),
  };
  const found: string[] = [];
  for (const { database, ranges, bits } of source.databases) {
    for (const [index, extents] of ranges.entries()) {
      const range = { index, bits };
      const reader = new FileReader({ store, file: 'file', source }, range, extents, { pageBytes: 100_000 });
      for (let cursor = startCursor(range), isOver = extents.length === 0; !isOver;) {
        const { next, page } = await reader.scanAndRead(cursor, 100);
        found.push(...page.keys.map((key) => `${database} ${key.toString()}`));
        isOver = endOfRange(range, next).ended;
        cursor = next;
      }
    }
  }
  return found;
}

describe('the keys of a range of a file', () => {
  it.each([1 << 20, 1_000])(
    'are all there, whatever stands among them and is passed over; %i bytes are large',
    async (large) => {
      const keys = Array.from({ length: 8_000 }, (_, i) => `key:${i}`);
      const file = fileOf((out) => {
        for (const database of [0, 7]) {
          out.byte(SELECT);
          out.rdbLength(database);
          keys.forEach((key, i) => {
            if (i % 5 === 0) {
              out.byte(SLOT_INFO);
              for (let left = 3; left > 0; left--) out.rdbLength(i);
            }
            if (i % 1_000 === 999) {
              out.byte(SELECT);
              out.rdbLength(database);
              out.byte(RESIZE);
              for (let left = 2; left > 0; left--) out.rdbLength(i);
            }
            if (i === 4_000) {
              out.byte(AUX);
              for (const word of ['name', 'value']) out.rdbString(Buffer.from(word), 0, word.length);
            }
            writeKey(out, Buffer.from(key), 0, text('x'.repeat(i % 700 === 0 ? 70_000 : 90)));
          });
        }
      });
      expect((await keysIn(file, large)).sort()).toEqual(
        [0, 7].flatMap((database) => keys.map((key) => `${database} ${key}`)).sort(),
      );
    },
  );

  it('are there with expiries that no exact number tells', async () => {
    const file = fileOf((out) => {
      writeKey(out, Buffer.from('far'), 2 ** 63, text('v'));
      writeKey(out, Buffer.from('near'), 5, text('v'));
    });
    const layout = new LayoutReader(1 << 20);
    layout.push(file);
    const source = sourceFileOf(layout.finish(), file.length, 'etag');
    const store = {
      read: (_: string, __: string, at: number, length: number) => Promise.resolve(file.subarray(at, at + length)),
    };
    const [extents = []] = source.databases[0]?.ranges ?? [];
    const reader = new FileReader({ store, file: 'file', source }, { index: 0, bits: 0 }, extents, {
      pageBytes: 1_000,
    });
    const { page } = await reader.scanAndRead(0n, 10);
    expect(page.expiries).toEqual([Number.MAX_SAFE_INTEGER, 5]);
  });
});
