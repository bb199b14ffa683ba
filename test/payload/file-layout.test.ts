import { readFileSync } from 'node:fs';
import path from 'node:path';
import { combineCrc64 } from '../../src/payload/crc64';
import {
  AUX,
  crcOf,
  FUNCTION,
  RESIZE,
  SELECT,
  SLOT_INFO,
  writeEnd,
  writeHead,
  writeKey,
} from '../../src/payload/file-records';
import { withFooter } from '../../src/payload/footer';
import { Output } from '../../src/payload/output';
import { readLibraries } from '../../src/payload/read-record';
import { LayoutReader, layoutStateSchema, type FileLayout } from '../../src/payload/file-layout';

const snapshot = readFileSync(path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb'));

/** What a reader finds that is given the bytes in pieces. */
function layoutOf(bytes: Buffer, pieceBytes: number, largeBytes = 1 << 20): FileLayout {
  const reader = new LayoutReader(largeBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  return reader.finish();
}

function keysOf({ stretches }: FileLayout): Record<number, number> {
  const keys: Record<number, number> = {};
  for (const stretch of stretches) keys[stretch.database] = (keys[stretch.database] ?? 0) + stretch.keys;
  return keys;
}

describe('the layout of a file', () => {
  const whole = layoutOf(snapshot, snapshot.length);

  it('tells the keys of each database, and what wrote it', () => {
    expect(keysOf(whole)).toEqual({ 0: 17_269, 1: 700, 5: 300, 15: 1 });
    expect(whole).toMatchObject({ software: 'redis', version: 8, damage: undefined, functions: 0, ofModules: 0 });
    expect(whole.facts['redis-ver']).toBe('4.0.14');
  });

  it.each([
    [65_536, 1 << 20],
    [10_007, 4_096],
    [1_000_003, 20],
  ])('is the same when it comes in pieces of %i bytes and %i are large', (pieceBytes, largeBytes) => {
    const { large, ...rest } = layoutOf(snapshot, pieceBytes, largeBytes);
    const { large: _, ...expected } = whole;
    expect(rest).toEqual(expected);
    if (largeBytes < 10_000) expect(large.length).toBeGreaterThan(10);
  });

  it.each([
    [65_536, 1 << 20],
    [10_007, 4_096],
    [300_003, 20],
  ])(
    'is the same when another reader goes on after every piece of %i bytes, and %i are large',
    (pieceBytes, largeBytes) => {
      let reader = new LayoutReader(largeBytes);
      let longest = 0;
      for (let at = 0; at < snapshot.length && !reader.isOver;) {
        const piece = snapshot.subarray(at, at + pieceBytes + longest);
        reader.push(piece);
        const state = layoutStateSchema.parse(JSON.parse(JSON.stringify(reader.state())));
        expect(state.at).toBe(reader.goesOnAt);
        // In the middle of what is large nobody goes on: it must come in one piece at last.
        longest = state.at === at ? longest + pieceBytes : 0;
        reader = LayoutReader.from(state);
        at = state.at;
      }
      const { large, ...rest } = reader.finish();
      const { large: _, ...expected } = whole;
      expect(rest).toEqual(expected);
      expect(large).toEqual(layoutOf(snapshot, pieceBytes, largeBytes).large);
      expect(reader.given).toBeGreaterThan(snapshot.length - pieceBytes);
    },
  );

  it('tells where a file ends to be good', () => {
    const cut = layoutOf(snapshot.subarray(0, 2_000_000), 100_000);
    expect(cut.damage?.reason).toBe('it ends too early');
    expect(cut.damage?.at).toBeLessThan(2_000_000);
    expect(cut.damage?.at).toBeGreaterThan(1_000_000);

    const flipped = Buffer.from(snapshot);
    flipped.writeUInt8((flipped[3_000_000] ?? 0) ^ 1, 3_000_000);
    expect(layoutOf(flipped, 100_000).damage?.reason).toMatch(/checksum is wrong|unknown/);

    expect(layoutOf(Buffer.from('not an RDB file'), 100).damage).toEqual({
      at: 0,
      reason: 'it does not begin as an RDB file does',
    });
    expect(layoutOf(Buffer.alloc(0), 1).damage).toEqual({ at: 0, reason: 'it ends too early' });
  });

  it('goes no further than the end: a page blob is filled up behind it', () => {
    const { stretches, damage } = layoutOf(Buffer.concat([snapshot, Buffer.alloc(512)]), 70_000);
    expect([stretches, damage]).toEqual([whole.stretches, undefined]);
  });

  it('has its checksum looked at wherever its bytes are cut into pieces', () => {
    const spoilt = Buffer.from(snapshot);
    spoilt.writeUInt8((spoilt[snapshot.length - 2] ?? 0) ^ 1, snapshot.length - 2);
    for (let last = 1; last <= 8; last++) {
      expect(layoutOf(spoilt, snapshot.length - last).damage?.reason).toContain('checksum is wrong');
      expect(layoutOf(snapshot, snapshot.length - last).damage).toBeUndefined();
      const cut = layoutOf(snapshot.subarray(0, snapshot.length - last), 3_000_000).damage;
      expect(cut).toEqual({ at: snapshot.length - 9, reason: 'it ends too early' });
    }
  });

  it.each([1, 70_000, snapshot.length])('tells of commands behind its end, in pieces of %i bytes', (pieceBytes) => {
    const small = fileOf((out) => {
      writeKey(out, Buffer.from('key'), 0, text('value'));
    });
    const file = pieceBytes === 1 ? small : snapshot;
    const ofCommands = Buffer.from('*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n');
    const { damage, stretches } = layoutOf(Buffer.concat([file, ofCommands]), pieceBytes);
    expect(damage).toEqual({ at: file.length, reason: expect.stringContaining('append-only') as string });
    expect(stretches).toEqual(layoutOf(file, file.length).stretches);
    for (const filled of [Buffer.alloc(3), Buffer.from('any'), Buffer.alloc(0)]) {
      expect(layoutOf(Buffer.concat([file, filled]), pieceBytes).damage).toBeUndefined();
    }
  });

  it('passes over what servers of a cluster write before the keys of each slot, and databases that are selected again', () => {
    const KEYS = 60_000;
    const value = text('v'.repeat(40));
    const file = fileOf((out) => {
      for (let i = 0; i < KEYS; i++) {
        if (i % 3 === 0) {
          out.byte(SELECT);
          out.rdbLength(0);
        }
        for (const record of i % 2 === 0 ? [SLOT_INFO, RESIZE] : [SLOT_INFO]) {
          out.byte(record);
          for (let left = record === SLOT_INFO ? 3 : 2; left > 0; left--) out.rdbLength(i);
        }
        writeKey(out, Buffer.from(`${i}`), 0, value);
        if (i === 50_000) {
          out.byte(AUX);
          for (const word of ['name', 'value']) out.rdbString(Buffer.from(word), 0, word.length);
        }
      }
    });
    const { stretches, damage } = layoutOf(file, 100_000);
    expect([damage, stretches.reduce((sum, { keys }) => sum + keys, 0)]).toEqual([undefined, KEYS]);
    // They stand one behind the other, but for what is told in the middle.
    const gaps = stretches.filter(({ start }, i) => start !== stretches[i - 1]?.end);
    expect([stretches.length < 30, gaps.length]).toEqual([true, 2]);

    let reader = new LayoutReader(1 << 20);
    for (let at = 0; at < file.length; at = reader.goesOnAt) {
      reader.push(file.subarray(at, at + 100_000));
      reader = LayoutReader.from(layoutStateSchema.parse(JSON.parse(JSON.stringify(reader.state()))));
    }
    expect(reader.finish()).toEqual(layoutOf(file, file.length));
  });

  it('passes over long records that are no keys', () => {
    const code = Buffer.alloc(3_000_000, 'x');
    const file = fileOf((out) => {
      for (const library of [code, code, Buffer.from('short')]) {
        out.byte(FUNCTION);
        out.rdbString(library, 0, library.length);
      }
      writeKey(out, Buffer.from('key'), 0, text('value'));
    });
    const { functions, libraries, stretches, damage } = layoutOf(file, 100_000, 10_000);
    expect([functions, damage, stretches.map(({ keys }) => keys)]).toEqual([3, undefined, [1]]);
    const told = libraries.flatMap(({ start, end }) => readLibraries(file.subarray(start, end)));
    expect(told.map(({ length }) => length)).toEqual([3_000_000, 3_000_000, 5]);
    expect(libraries).toHaveLength(3);
  });

  it.each([
    [
      'databases that alternate with every key',
      'alternate',
      (out: Output) => {
        for (let i = 0; i < 60_000; i++) {
          out.byte(SELECT);
          out.rdbLength(i % 2);
          writeKey(out, Buffer.from(`${i}`), 0, text(''));
        }
      },
    ],
    [
      'a database that no server has',
      'databases that no server has',
      (out: Output) => {
        out.byte(SELECT);
        out.rdbLength(70_000);
      },
    ],
    [
      'more elements than there are bytes',
      'a string of an unknown kind',
      (out: Output) => {
        out.byte(2);
        out.rdbString(Buffer.from('set'), 0, 3);
        out.rdbLength(2 ** 52);
      },
    ],
  ])('comes to an end with %s', (_, reason, write) => {
    const began = performance.now();
    expect(layoutOf(fileOf(write), 1 << 20).damage?.reason).toContain(reason);
    expect(performance.now() - began).toBeLessThan(30_000);
  });
});

/** A file with these records. */
function fileOf(write: (out: Output) => void): Buffer {
  const out = new Output();
  writeHead(out, 9, []);
  write(out);
  writeEnd(out, (end) => combineCrc64(crcOf(out.bytes.subarray(0, out.length - 1)), crcOf(end.subarray(-1)), 1));
  return out.copy();
}

function text(value: string): Buffer {
  const bytes = Buffer.from([0, value.length, ...Buffer.from(value)]);
  return withFooter(bytes, bytes.length, 9);
}
