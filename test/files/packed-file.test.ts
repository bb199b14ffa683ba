import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { FolderStore } from '../../src/files/folder-store';
import { contentOf, FileLook, lookAtHead } from '../../src/files/look-through';
import { unpackInOrder, UnpackError } from '../../src/files/read-in-order';
import { LayoutReader, layoutStateSchema } from '../../src/payload/file-layout';
import type { SourceFile } from '../../src/payload/source-file';

let folder: string;
let store: FolderStore;
let plain: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-packed-'));
  store = new FolderStore('STORE', folder);
  plain = await readFile(path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb'));
  await writeFile(path.join(folder, 'plain.rdb'), plain);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function look(name: string, bytes?: Buffer): Promise<SourceFile> {
  if (bytes !== undefined) await writeFile(path.join(folder, name), bytes);
  const at = { store, file: name, place: `STORE/${name}` };
  const head = await lookAtHead(at);
  const reader = new LayoutReader(100_000);
  const whole = await through(new FileLook(at, head, reader));
  // Whoever goes on after a crash, with what was found up to the end, finds the same, and says so in the same words.
  const kept = LayoutReader.from(layoutStateSchema.parse(JSON.parse(JSON.stringify(reader.state()))));
  expect(await through(new FileLook(at, head, kept))).toEqual(whole);
  return whole;
}

async function through(look: FileLook): Promise<SourceFile> {
  for await (const _ of look.goOn());
  return look.result();
}

const keysOf = ({ databases }: SourceFile) => databases.map(({ database, keys }) => [database, keys]);

it('of a file that gzip packed the same is found as of the file itself, each database in one range', async () => {
  const expected = await look('plain.rdb');

  const found = await look('packed.rdb.gz', gzipSync(plain));

  expect(found).toMatchObject({ version: 8, damage: undefined, expiring: expected.expiring, large: expected.large });
  expect(keysOf(found)).toEqual(keysOf(expected));
  expect(found.databases.map(({ bits, ranges }) => [bits, ranges.length])).toEqual(keysOf(found).map(() => [0, 1]));
  expect(found.packedBytes).toBeLessThan(expected.bytes);
  expect(expected.packedBytes).toBeUndefined();
});

it('packed in several pieces, and filled up behind its end, it is one file', async () => {
  const pieces = [plain.subarray(0, 1_000_000), plain.subarray(1_000_000, 1_000_001), plain.subarray(1_000_001)];
  const packed = Buffer.concat([...pieces.map((piece) => gzipSync(piece)), Buffer.alloc(512)]);

  const found = await look('pieces.rdb.gz', packed);

  expect([found.damage, keysOf(found)]).toEqual([undefined, keysOf(await look('plain.rdb'))]);
});

it.each([
  ['cut off', (packed: Buffer) => packed.subarray(0, packed.length / 2)],
  [
    'damaged',
    (packed: Buffer) =>
      Buffer.concat([
        packed.subarray(0, packed.length / 2),
        Buffer.alloc(100, 0xff),
        packed.subarray(packed.length / 2 + 100),
      ]),
  ],
])('one that is %s is good up to there', async (name, spoil) => {
  const found = await look(`${name}.rdb.gz`, spoil(gzipSync(plain)));

  expect(found.damage?.at).toBeGreaterThan(100_000);
  expect(found.damage?.at).toBeLessThan(plain.length);
  expect(keysOf(found)[0]?.[1]).toBeGreaterThan(1_000);
  expect(found.damage?.reason).toMatch(/gzip|checksum|unknown|early|kind/);
});

it('of one that is damaged all is given that stands before the damage', async () => {
  // Blocks of their own, so that it is known where each begins.
  const blocks = Array.from({ length: 4 }, () => randomBytes(300_000));
  const whole = blocks.map((block) => gzipSync(block));
  const packed = Buffer.concat([...whole.slice(0, 3), Buffer.alloc(100, 0xff), ...whole.slice(3)]);
  const read = (_: string, __: string, start: number, length: number) =>
    Promise.resolve(packed.subarray(start, start + length));
  const given: Buffer[] = [];
  const unpacking = (async () => {
    // A member whose checksum is wrong: all of it was unpacked.
    packed.writeUInt32LE(7, (whole[0]?.length ?? 0) + (whole[1]?.length ?? 0) + (whole[2]?.length ?? 0) - 8);
    for await (const piece of unpackInOrder({ read }, 'file', 'version', packed.length)) given.push(piece);
  })();
  await expect(unpacking).rejects.toThrow(UnpackError);
  expect(Buffer.concat(given).equals(Buffer.concat(blocks.slice(0, 3)))).toBe(true);
});

it('of one that is cut off all is given that is there', async () => {
  const packed = gzipSync(randomBytes(6_000_000)).subarray(0, 5_500_000);
  const read = (_: string, __: string, start: number, length: number) =>
    Promise.resolve(packed.subarray(start, start + length));
  let bytes = 0;
  for await (const piece of unpackInOrder({ read }, 'file', 'version', packed.length)) bytes += piece.length;
  expect(bytes).toBeGreaterThan(5_400_000);
});

describe('behind the end of what was packed', () => {
  const content = randomBytes(100_000);
  const whole = gzipSync(content);
  const unpack = async (packed: Buffer) => {
    const read = (_: string, __: string, start: number, length: number) =>
      Promise.resolve(packed.subarray(start, start + length));
    const given: Buffer[] = [];
    const problem: unknown = await (async () => {
      for await (const piece of unpackInOrder({ read }, 'file', 'version', packed.length)) given.push(piece);
    })().catch((error: unknown) => error);
    return { same: Buffer.concat(given).equals(content), problem };
  };

  // The first of them ends with the slice that holds the end, the last one has many slices of its own.
  const room = 16_384 - (whole.length % 16_384);
  it.each([1, room, room + 1, 40_000])('%i zeros fill it up', async (zeros) => {
    const packed = Buffer.concat([whole, Buffer.alloc(zeros)]);
    expect(await unpack(packed)).toEqual({ same: true, problem: undefined });
  });

  it.each([1, room - 1, room, 40_000])('anything behind %i zeros is damage', async (zeros) => {
    const packed = Buffer.concat([whole, Buffer.alloc(zeros), gzipSync(content)]);
    expect(await unpack(packed)).toEqual({ same: true, problem: expect.any(UnpackError) as unknown });
  });
});

it('one that was cut off before it was packed and filled up is good up to there', async () => {
  const cut = plain.subarray(0, 1_000_000);
  const found = await look('cut-padded.rdb.gz', Buffer.concat([gzipSync(cut), Buffer.alloc(1_000)]));
  expect(found.damage).toEqual((await look('cut.rdb', cut)).damage);
});

it('what is no RDB file when it is unpacked is none', async () => {
  await expect(look('text.gz', gzipSync(Buffer.from('some text')))).rejects.toMatchObject({ trouble: 'noRdb' });
});

it('is read from any place, forward from those that were reached, with few unpackings', async () => {
  const source = await look('read.rdb.gz', gzipSync(plain));
  let reads = 0;
  const content = contentOf(
    {
      read: async (file, version, start, length) => {
        if (start === 0) reads++;
        return await store.read(file, version, start, length);
      },
    },
    source,
  );
  const expectSame = async (start: number, length: number) => {
    const read = await content.read('read.rdb.gz', source.etag, start, length);
    expect(read.equals(plain.subarray(start, start + length))).toBe(true);
  };

  // A window that goes forward, a second one ahead of it, and large values fetched behind both, by two at once.
  await Promise.all([expectSame(0, 500_000), expectSame(500_000, 500_000)]);
  for (let at = 1_000_000; at + 400_000 < plain.length; at += 300_000) {
    await Promise.all([expectSame(at, 300_000), expectSame(at - 900_000, 2_000), expectSame(at - 600_000, 2_000)]);
  }
  expect(reads).toBeLessThanOrEqual(4);
  await expectSame(10, 0);
  await expect(content.read('read.rdb.gz', source.etag, plain.length - 1, 2)).rejects.toMatchObject({
    trouble: 'broken',
  });
  await expectSame(plain.length - 1, 1);
});
