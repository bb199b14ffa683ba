import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { combineCrc64 } from '../../src/payload/crc64';
import {
  crcOf,
  EXPIRY_S,
  MODULE_AUX,
  RESIZE,
  SELECT,
  SLOT_INFO,
  writeEnd,
  writeHead,
  writeKey,
} from '../../src/payload/file-records';
import { withFooter } from '../../src/payload/footer';
import { Output } from '../../src/payload/output';
import { run } from '../tools/modes';
import { Stage, type Side } from '../tools/stage';
import type { TestApp } from '../tools/test-app';

const stage = new Stage();
let folder: string;
let target: Side;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-odd-files-'));
  target = await stage.side('redis-8.0');
  app = await stage.testApp({ NEW: target }, { RDB_FILES: pathToFileURL(folder).href });
});
afterEach(() => target.client.flushall());
afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

function text(value: string): Buffer {
  const out = new Output();
  out.byte(0);
  out.rdbString(Buffer.from(value), 0, value.length);
  return withFooter(out.bytes, out.length, 9);
}

/** Restores a file with these records. */
async function restored(version: number, write: (out: Output) => void, changes: Record<string, unknown> = {}) {
  const out = new Output();
  writeHead(out, version, []);
  write(out);
  writeEnd(out, (end) => combineCrc64(crcOf(out.bytes.subarray(0, out.length - 1)), crcOf(end.subarray(-1)), 1));
  await writeFile(path.join(folder, 'odd.rdb'), out.copy());
  return await run(app, { source: { rdb: 'FILES', file: 'odd.rdb' }, ...changes });
}

const lengths = (out: Output, type: number, count: number) => {
  out.byte(type);
  for (let left = count; left > 0; left--) out.rdbLength(left);
};

const select = (out: Output, database: number) => {
  out.byte(SELECT);
  out.rdbLength(database);
};

it('a file of a newer server of which the target reads nothing is told key by key, to the last page', async () => {
  const KEYS = 3_000;
  const { report, findings } = await restored(13, (out) => {
    for (let i = 0; i < KEYS; i++) writeKey(out, Buffer.from(`key:${i}`), 0, text('value'));
  });
  expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { copied: 0, failed: KEYS }, cause: null });
  expect(findings).toHaveLength(KEYS);
  expect(report.warnings.join(' ')).toContain('each key becomes a finding');
});

it('a file with nothing in it is restored as it is', async () => {
  const { report } = await restored(9, () => undefined);
  expect(report).toMatchObject({ state: 'completed', counts: { copied: 0 }, cause: null });
  const compared = await restored(9, () => undefined, { mode: 'compare' });
  expect(compared.report).toMatchObject({ state: 'completed' });
});

it('a file of a server of a cluster is restored whole, and verified, whatever stands among its keys', async () => {
  const KEYS = 40_000;
  const { report, findings } = await restored(
    12,
    (out) => {
      select(out, 0);
      for (let i = 0; i < KEYS; i++) {
        if (i % 2 === 0) lengths(out, SLOT_INFO, 3);
        if (i % 10_000 === 7) {
          select(out, 0);
          lengths(out, RESIZE, 2);
        }
        // What only a module reads.
        if (i === 20_000) {
          out.byte(MODULE_AUX);
          out.rdbLength64(2n ** 60n);
          for (const length of [2, 1, 0]) out.rdbLength(length);
        }
        writeKey(out, Buffer.from(`key:${i}`), 0, text('value'));
      }
    },
    { verify: 'full' },
  );
  expect(findings).toEqual([]);
  expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS }, tally: { sourceKeys: KEYS } });
  expect(await target.client.dbsize()).toBe(KEYS);
});

it('odd names and expiries are what a server that loads the file makes of them', async () => {
  const soon = Math.floor(Date.now() / 1_000) + 10_000;
  const { report } = await restored(9, (out) => {
    writeKey(out, Buffer.alloc(0), 0, text('no name'));
    writeKey(out, Buffer.from('past'), 5, text('v'));
    writeKey(out, Buffer.from('far'), 2 ** 63, text('v'));
    out.byte(EXPIRY_S);
    out.raw(Buffer.from(new Int32Array([soon]).buffer), 0, 4);
    writeKey(out, Buffer.from('seconds'), 0, text('v'));
    out.byte(EXPIRY_S);
    out.raw(Buffer.from(new Int32Array([-1]).buffer), 0, 4);
    writeKey(out, Buffer.from('before 1970'), 0, text('v'));
  });
  expect(report).toMatchObject({ state: 'completed', counts: { copied: 3, expired: 2 } });
  expect(await target.client.get('')).toBe('no name');
  // The client is not exact there.
  expect(await target.client.call('PEXPIRETIME', 'far')).toBeGreaterThanOrEqual(Number.MAX_SAFE_INTEGER);
  expect(await target.client.call('PEXPIRETIME', 'seconds')).toBe(soon * 1_000);
});

it('values that the target does not take at once go in pieces, and others are told', async () => {
  await target.client.config('SET', 'proto-max-bulk-len', String(1_048_576));
  try {
    const { report, findings } = await restored(9, (out) => {
      for (let i = 0; i < 1_200; i++) writeKey(out, Buffer.from(`key:${i}`), 0, text(`value ${i}`));
      const hash = new Output();
      hash.byte(4);
      hash.rdbLength(30_000);
      for (let i = 0; i < 30_000; i++) {
        for (const part of [`field:${i}`, 'x'.repeat(50)]) hash.rdbString(Buffer.from(part), 0, part.length);
      }
      writeKey(out, Buffer.from('hash'), 0, withFooter(hash.bytes, hash.length, 9));
      writeKey(out, Buffer.from('last'), 0, text('v'));
    });
    expect([report.state, findings]).toEqual(['completed', []]);
    expect(await target.client.hlen('hash')).toBe(30_000);
    expect(await target.client.dbsize()).toBe(1_202);
  } finally {
    await target.client.config('SET', 'proto-max-bulk-len', String(512 * 1_048_576));
  }
});
