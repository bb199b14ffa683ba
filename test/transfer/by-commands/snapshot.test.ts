import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { copyKeyByCommands } from '../../../src/transfer/by-commands';
import { names, startSide, stopSide, type Side } from './support';

const fixture = join(__dirname, '../../fixtures/redis-4.0.14.rdb');
/** DEBUG DIGEST of the whole snapshot, the same on 4.0, 6.0 and 7.0. */
const digest = '1e00ef10dba3a695ee476939e7a4d38ded7d380a';
const databases = [0, 1, 5, 15];
const AT_ONCE = 64;

let folder: string;
let from: Side;
let to: Side;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyferry-snapshot-'));
  await copyFile(fixture, join(folder, 'dump.rdb'));
  [from, to] = await Promise.all([
    startSide('redis-7.0', ['--enable-debug-command', 'yes'], { dataFolder: folder, rdb: 'dump.rdb' }),
    startSide('redis-6.0'),
  ]);
});
afterAll(async () => {
  await Promise.all([stopSide(from), stopSide(to)]);
  await rm(folder, { recursive: true, force: true });
});

it('carries all 18,270 keys of a snapshot by commands, equal by DEBUG DIGEST', async () => {
  let copied = 0;
  for (const database of databases) {
    await Promise.all([from.client.select(database), to.client.select(database)]);
    const keys = await from.client.keysBuffer('*');
    const next = keys.values();
    const worker = async (): Promise<void> => {
      for (const key of next) {
        const outcome = await copyKeyByCommands(from.port, to.port, {
          sourceKey: key,
          targetKey: key,
          onConflict: 'replace',
          chunkBytes: 64 * 1024,
          clockOffsetMs: 0,
          source: from.abilities,
          target: to.abilities,
          scripts: { source: true, target: true },
          names,
        });
        if (outcome.kind === 'copied' && outcome.losses.length === 0) copied++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
  expect(copied).toBe(18_270);
  expect(await from.client.call('DEBUG', 'DIGEST')).toBe(digest);
  expect(await to.client.call('DEBUG', 'DIGEST')).toBe(digest);
});
