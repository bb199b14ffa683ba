import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AppProcess } from '../tools/app-process';
import { compareServers, digest, Stage, type Side } from '../tools/stage';

const snapshot = path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb');
const KEYS = { all: 18_270, byDatabase: { 0: 17_269, 1: 700, 5: 300, 15: 1 } };
/** DEBUG DIGEST of the snapshot: newer servers hash some types in another way. */
const DIGEST = {
  upTo7: '1e00ef10dba3a695ee476939e7a4d38ded7d380a',
  from8: 'd879337160594160179d0c4e4035be985356e9e1',
};

const stage = new Stage();
let folder: string;
let app: AppProcess;
let sides: Record<'OLD6' | 'OLD8' | 'NEW6' | 'NEW7' | 'NEW8' | 'VALKEY' | 'OLDER6', Side>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-snapshot-'));
  await copyFile(snapshot, path.join(folder, 'dump.rdb'));
  const loaded = { dataFolder: folder, rdb: 'dump.rdb' };
  sides = {
    OLD6: await stage.side('redis-6.0', loaded),
    OLD8: await stage.side('redis-8.0', loaded),
    NEW6: await stage.side('redis-6.0'),
    NEW7: await stage.side('redis-7.0'),
    NEW8: await stage.side('redis-8.0'),
    VALKEY: await stage.side('valkey-8.1'),
    OLDER6: await stage.side('redis-6.0'),
  };
  app = await stage.app(stage.connections(sides));
});

afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

async function keysByDatabase({ client }: Side): Promise<object> {
  const keyspace = await client.info('keyspace');
  const lines = [...keyspace.matchAll(/^db(\d+):keys=(\d+)/gm)];
  return Object.fromEntries(lines.map(([, database, keys]): [string, number] => [database ?? '', Number(keys)]));
}

describe.each([
  { source: 'OLD6', target: 'NEW6', expected: DIGEST.upTo7 },
  { source: 'OLD6', target: 'NEW7', expected: DIGEST.upTo7 },
  { source: 'OLD6', target: 'NEW8', expected: DIGEST.from8 },
  { source: 'OLD6', target: 'VALKEY', expected: DIGEST.from8 },
  { source: 'OLD8', target: 'OLDER6', expected: DIGEST.upTo7 },
] as const)('the Redis 4 snapshot, from $source to $target', ({ source, target, expected }) => {
  it('arrives whole, with every key accounted for', async () => {
    const before = await digest(sides[source]);

    const report = await app.run({ source, target });

    expect(report).toMatchObject({
      state: 'completed',
      cause: null,
      findings: 0,
      source: { name: source, version: sides[source].server.version, keysAtStart: KEYS.all, keysNow: KEYS.all },
      target: { name: target, version: sides[target].server.version, keysAtStart: 0, keysNow: KEYS.all },
      progress: { percent: 100, etaSeconds: null, ranges: { active: 0, failed: 0 } },
      counts: { copied: KEYS.all, skippedByFilter: 0, skippedByConflict: 0, expired: 0, failed: 0 },
      tally: { sourceKeys: KEYS.all, accountedKeys: KEYS.all, targetKeys: KEYS.all, missing: 0, verdict: 'completed' },
    });
    expect(report.counts.scanned - report.counts.repeats).toBe(KEYS.all);
    expect(report.counts.repeats).toBeLessThan(KEYS.all / 20);
    expect(report.warnings.filter((warning) => warning.includes('by ordinary commands'))).toEqual([]);
    expect(await keysByDatabase(sides[target])).toEqual(KEYS.byDatabase);
    expect(await digest(sides[target])).toBe(expected);
    expect(await digest(sides[source])).toBe(before);
    expect(await compareServers(sides[source], sides[target])).toEqual({ keys: KEYS.all, differences: [] });
  });
});
