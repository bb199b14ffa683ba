import { ByteReader } from '../../src/payload/byte-reader';
import { withFooter } from '../../src/payload/footer';
import { NOTHING_LOST } from '../../src/payload/reencode';
import { readRecord } from '../../src/payload/read-record';
import type { FilePiece } from '../../src/migration/rows';
import { FileSink } from '../../src/transfer/file-sink';
import { PieceWriter } from '../../src/transfer/piece-writer';

const BLOCK = 1_000;
const payloadOf = (size: number) =>
  withFooter(Buffer.from([0, 0x40 | (size >> 8), size & 255, ...Buffer.alloc(size)]), 3 + size, 9);

function sinkOf(sizeOfBig = 0) {
  const kept = new Map<number, Buffer>();
  const writer = new PieceWriter(null, 1, BLOCK, 1_000, (_, number, bytes) => {
    kept.set(number, bytes);
    return Promise.resolve();
  });
  const source = {
    attempt: <T>(call: () => Promise<T>) => call(),
    readerOfWhole: {
      read: (keys: readonly Buffer[]) => {
        const payloads = keys.map(() => payloadOf(sizeOfBig));
        return Promise.resolve({ keys, expiries: [0], payloads, bytes: sizeOfBig, micros: 0 });
      },
    },
  };
  const budget = { take: () => Promise.resolve(), give: () => undefined, correct: () => undefined };
  const prepare = (payload: Buffer) => ({ payload, lost: NOTHING_LOST });
  const names = { onTarget: (key: Buffer) => key };
  const sink = new FileSink(source, writer, prepare, names, budget, 1 << 20, undefined, undefined);
  const keysOf = (piece: FilePiece | undefined): string[] => {
    const numbers = (piece?.runs ?? []).flatMap(([, first, last]) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i),
    );
    const bytes = Buffer.concat(numbers.map((number) => kept.get(number) ?? Buffer.alloc(0)));
    const reader = new ByteReader(bytes, 0, bytes.length);
    const keys: string[] = [];
    while (reader.at < reader.end) {
      const record = readRecord(reader);
      if (record.kind === 'key') keys.push(record.key.toString());
    }
    expect(keys).toHaveLength(piece?.keys ?? 0);
    return keys.sort();
  };
  return { sink, writer, kept, keysOf };
}

const partOf = (keys: readonly string[], payload: Buffer | 'big', next?: bigint) => ({
  page: {
    keys: keys.map((key) => Buffer.from(key)),
    expiries: keys.map(() => 0),
    payloads: keys.map(() => payload),
    bytes: 0,
    micros: 0,
  },
  ...{ counts: {}, claims: [], next, taken: 0 },
});

it('parts of a page come into blocks that are no smaller than they should be, and never into those of another page', async () => {
  const { sink, writer, kept, keysOf } = sinkOf();
  const names = Array.from({ length: 20 }, (_, i) => `first:${i}`);
  const parts = names.map((name, i) => partOf([name], payloadOf(300), i === 19 ? 1n : undefined));
  // The parts of the next page are in work while the page is not done yet.
  const first = await Promise.all(parts.map((part) => sink.write(part)));
  const second = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => sink.write(partOf([name], payloadOf(300)))));
  expect(kept.size).toBeLessThanOrEqual(20 / 4 + 5 / 4 + 1);

  for (const { moved } of first) moved();
  expect(keysOf(await writer.cut(true))).toEqual([...names].sort());
  for (const { moved } of second) moved();
  expect(keysOf(await writer.cut(true))).toEqual([...names, 'a', 'b', 'c', 'd', 'e'].sort());
});

it('large keys that are smaller than a block share one', async () => {
  const { sink, writer, kept, keysOf } = sinkOf(90);
  const names = Array.from({ length: 100 }, (_, i) => `large:${i}`);
  const { moved, counts } = await sink.write(partOf(names, 'big', 1n));
  expect(counts).toMatchObject({ copied: 100 });
  moved();
  const piece = await writer.cut(true);
  expect(keysOf(piece)).toEqual([...names].sort());
  expect(kept.size).toBeLessThan(12);
  expect(piece?.runs.length).toBeLessThan(4);
});
