import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { CLOSED_PORT } from '../../local/servers/free-port';
import { cancelMigration } from '../../src/api/cancel-migration';
import { getReport } from '../../src/api/read-migrations';
import type { RangeMessage } from '../../src/ledger/range-queue';
import { storageClients } from '../../src/ledger/storage-clients';
import type { MigrationReport } from '../../src/migration/report';
import { parseMigrationRequest } from '../../src/migration/request';
import { startMigration } from '../../src/start/start-migration';
import { stopMigration } from '../../src/tally/settle-ranges';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration } from '../../src/tally/tally-visit';
import { workOnRange } from '../../src/work/range-worker';
import { run } from '../tools/modes';
import { Stage, type Side } from '../tools/stage';
import type { TestApp } from '../tools/test-app';

const KEYS = 18_270;
const RANGE = 'read-00000';

const stage = new Stage();
let folder: string;
let target: Side;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-read-'));
  const plain = path.join(folder, 'plain.rdb');
  await copyFile(path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb'), plain);
  await writeFile(path.join(folder, 'packed.rdb.gz'), gzipSync(await readFile(plain)));
  target = await stage.side('redis-8.0');
  const files = { RDB_FILES: pathToFileURL(folder).href };
  const quick = { KEYFERRY_CHECKPOINT_SECONDS: '0.1', KEYFERRY_SILENCE_SECONDS: '2', KEYFERRY_BIG_KEY_MIB: '0.05' };
  app = await stage.testApp({ NEW: target }, { ...files, ...quick });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await target.client.flushall();
  await app.takeMessages();
});
afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

const sourceOf = (file: string) => ({ rdb: 'FILES', file });
const requestOf = (changes: Record<string, unknown> = {}) =>
  parseMigrationRequest({ source: sourceOf('plain.rdb'), target: 'NEW', ...changes });

/** Begins to restore a file: the migration's id, and the message to read it. */
async function begun(changes: Record<string, unknown> = {}): Promise<readonly [string, RangeMessage]> {
  const { id } = await startMigration(requestOf(changes), app);
  const [message] = await app.takeMessages();
  if (message === undefined) throw new Error('no message');
  return [id, message];
}

/** Has it told where the store is read, and `before` awaited each time. */
function watchReads(before: (start: number) => Promise<void> = () => Promise.resolve()): number[] {
  const store = app.files.get('FILES');
  const read = store.read.bind(store);
  const starts: number[] = [];
  jest.spyOn(store, 'read').mockImplementation(async (file, version, start, length) => {
    await before(start);
    starts.push(start);
    return await read(file, version, start, length);
  });
  return starts;
}

const planOf = async (id: string) => (await app.ledger.migrations.get(id))?.plan;

it('a start reads the beginning of the file only, and what is in it is told as unknown', async () => {
  const { size } = await import('node:fs/promises').then(({ stat }) => stat(path.join(folder, 'plain.rdb')));
  const starts = watchReads();
  const { id, phase } = await startMigration(requestOf(), app);
  expect([phase, starts]).toEqual(['read', [0, 0]]);
  expect(await getReport(id, app)).toMatchObject({
    state: 'running',
    source: { version: 'RDB 8', keysAtStart: null, keysNow: null },
    progress: { phase: 'read', percent: 0, reading: { bytes: 0, of: size } },
  });
  // An app that does not know this phase leaves it alone.
  const { version } = await storageClients(app.env).table('KeyferryMigrations').getEntity('migration', id);
  expect(version).toBe(4);
  await cancelMigration(id, app);
  for (const message of await app.takeMessages()) await workOnRange(message, app);
  expect(await visitMigration(id, app)).toMatchObject({ finished: true, status: { state: 'cancelled' } });
});

it('how much is read, how fast, and how long it will take are told, and then what is copied, each from 0 to its end', async () => {
  const [id, message] = await begun();
  watchReads(() => new Promise((resolve) => setTimeout(resolve, 400)));
  const work = workOnRange(message, app);
  let isOver = false as boolean;
  void work.finally(() => (isOver = true));
  const told: MigrationReport['progress'][] = [];
  while (!isOver) {
    await visitMigration(id, app);
    told.push((await getReport(id, app))!.progress);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await work;
  const reading = told.flatMap((progress) => progress.reading ?? []);
  expect(reading).toHaveLength(told.length);
  const bytes = reading.map((each) => each.bytes);
  expect(bytes).toEqual([...bytes].sort((one, other) => one - other));
  const known = told.filter(({ etaSeconds, reading }) => etaSeconds !== null && (reading?.bytesPerSecond ?? 0) > 0);
  expect(known.length).toBeGreaterThan(0);
  for (const { etaSeconds } of known) expect(etaSeconds).toBeLessThan(60);

  await startPhase(id, (await visitMigration(id, app))!.due!, app);
  const { progress } = (await getReport(id, app))!;
  expect(progress).toMatchObject({ phase: 'copy', percent: 0 });
  expect(progress.reading).toBeUndefined();
  await cancelMigration(id, app);
  await visitMigration(id, app);
});

it('an append-only file that begins as an RDB file is not called complete: what was written since is not in it', async () => {
  const aofFolder = await mkdtemp(path.join(tmpdir(), 'keyferry-aof-'));
  try {
    const old = await stage.side('redis-6.0', { dataFolder: aofFolder });
    await old.client.set('before', 'value');
    await old.client.config('SET', 'appendonly', 'yes');
    const isRewritten = async () =>
      /aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(await old.client.info('persistence'));
    while (!(await isRewritten())) await new Promise((resolve) => setTimeout(resolve, 50));
    await old.client.config('SET', 'appendfsync', 'always');
    await copyFile(path.join(aofFolder, 'appendonly.aof'), path.join(folder, 'still.aof'));
    await old.client.set('since', 'value');
    await copyFile(path.join(aofFolder, 'appendonly.aof'), path.join(folder, 'written.aof'));

    const still = await run(app, { source: sourceOf('still.aof') });
    expect(still.report).toMatchObject({ state: 'completed', counts: { copied: 1 } });
    const written = await run(app, { source: sourceOf('written.aof') });
    expect(written.report).toMatchObject({ state: 'completedWithDifferences', counts: { copied: 1 } });
    expect(written.report.warnings.join(' ')).toContain('append-only file (AOF)');
  } finally {
    await rm(aofFolder, { recursive: true, force: true });
  }
});

describe.each(['plain.rdb', 'packed.rdb.gz'])('of %s', (file) => {
  const convert = ['aspnet-session-v5'];
  let whole: Awaited<ReturnType<typeof planOf>>;

  beforeAll(async () => {
    const [id, message] = await begun({ source: sourceOf(file), mode: 'dry-run', target: null, convert });
    await workOnRange(message, app);
    whole = await planOf(id);
    expect(whole?.source.file?.databases.map(({ keys }) => keys)).toEqual([17_269, 700, 300, 1]);
    expect(whole?.source.file?.large.length).toBeGreaterThan(0);
  });

  const expectWhole = async (id: string) => {
    const plan = await planOf(id);
    expect(plan?.source.file).toEqual(whole?.source.file);
    expect(plan?.conversions).toEqual(whole?.conversions);
  };

  it('the next worker goes on where one was that failed', async () => {
    const [id, message] = await begun({ source: sourceOf(file), convert });
    const failing = file === 'plain.rdb' ? 3_000_000 : 1_000_000;
    watchReads((start) => (start > failing ? Promise.reject(new Error('gone')) : Promise.resolve()));
    await expect(workOnRange(message, app)).rejects.toThrow('gone');
    jest.restoreAllMocks();
    const row = await app.ledger.ranges.get(id, RANGE);
    expect(row?.share).toBeGreaterThan(0);
    const { progress } = (await getReport(id, app))!;
    expect(progress.reading?.bytes).toBeGreaterThan(500_000);

    const starts = watchReads();
    await workOnRange(message, app);

    expect(await app.ledger.ranges.get(id, RANGE)).toMatchObject({ state: 'done', generation: 2 });
    if (file === 'plain.rdb') expect(Math.min(...starts)).toBeGreaterThan(500_000);
    await expectWhole(id);
    await cancelMigration(id, app);
    await visitMigration(id, app);
  });

  it('a worker whose message came twice changes nothing any more', async () => {
    const [id, message] = await begun({ source: sourceOf(file), convert });
    let [waits, goOn]: [boolean, () => void] = [true, () => undefined];
    const last = file === 'plain.rdb' ? 3_000_000 : 1_000_000;
    watchReads((start) => (waits && start > last ? new Promise((resolve) => (goOn = resolve)) : Promise.resolve()));
    const first = workOnRange(message, app);
    while (((await app.ledger.ranges.get(id, RANGE))?.share ?? 0) === 0) await new Promise((go) => setTimeout(go, 50));
    waits = false;
    await workOnRange(message, app);
    const { etag } = (await app.ledger.migrations.get(id))!;
    goOn();
    await first;

    expect((await app.ledger.migrations.get(id))?.etag).toBe(etag);
    expect(await app.ledger.ranges.get(id, RANGE)).toMatchObject({ state: 'done', generation: 2 });
    await expectWhole(id);
    await cancelMigration(id, app);
    await visitMigration(id, app);
  });
});

it('a worker that was held while it planned does not stop for keys that its own migration has written since', async () => {
  const [id, message] = await begun({ onConflict: 'fail' });
  let goOn: () => void = () => undefined;
  const metBy = app.connections.metBy.bind(app.connections);
  const isHeld = new Promise<void>((held) => {
    jest.spyOn(app.connections, 'metBy').mockImplementationOnce(async (...asked) => {
      await new Promise<void>((resolve) => {
        goOn = resolve;
        held();
      });
      return await metBy(...asked);
    });
  });
  const first = workOnRange(message, app);
  await isHeld;
  await workOnRange(message, app);
  const { due } = (await visitMigration(id, app))!;
  await startPhase(id, due!, app);
  const [ofCopy, ...others] = await app.takeMessages();
  await workOnRange(ofCopy!, app);
  expect(await target.client.dbsize()).toBeGreaterThan(0);
  goOn();
  await first;

  expect(await app.ledger.migrations.get(id)).toMatchObject({ stopCause: null, cancelRequested: false });
  for (const other of others) await workOnRange(other, app);
  await visitMigration(id, app);
  expect(await getReport(id, app)).toMatchObject({ counts: { copied: KEYS }, cause: null });
  await cancelMigration(id, app);
  await visitMigration(id, app);
});

it('a target that is a replica for a moment is waited for', async () => {
  const [id, message] = await begun();
  await target.client.call('REPLICAOF', '127.0.0.1', String(CLOSED_PORT));
  try {
    await expect(workOnRange(message, app)).rejects.toThrow(/replica/);
    expect(await app.ledger.ranges.get(id, RANGE)).toMatchObject({
      trouble: expect.stringMatching(/replica/) as string,
    });
  } finally {
    await target.client.call('REPLICAOF', 'NO', 'ONE');
  }
  await workOnRange(message, app);
  expect((await app.ledger.ranges.get(id, RANGE))?.state).toBe('done');
  expect((await planOf(id))?.databases).toHaveLength(4);
  await cancelMigration(id, app);
  await visitMigration(id, app);
});

it('what was found in a walk that is over does not stop the migration', async () => {
  const [id, message] = await begun();
  const seen = (await app.ledger.migrations.get(id))!;
  await workOnRange(message, app);
  await startPhase(id, (await visitMigration(id, app))!.due!, app);
  expect(await stopMigration(seen, 'old', app)).toMatchObject({ phase: 'copy', stopCause: null });
  const now = (await app.ledger.migrations.get(id))!;
  expect(await stopMigration(now, 'of now', app)).toMatchObject({ stopCause: 'of now', cancelRequested: true });
  await visitMigration(id, app);
});

describe('what speaks against it by what is in the file ends it, and nothing is written', () => {
  it('keys that the target must not have', async () => {
    await target.client.set('own', 'value');
    const { report } = await run(app, { source: sourceOf('plain.rdb'), onConflict: 'fail' });
    expect(report).toMatchObject({
      state: 'failed',
      cause: 'onConflict is "fail" and the target "NEW" has 1 keys in the databases to be written.',
      counts: { copied: 0 },
    });
    expect(report.warnings).toEqual([]);
    expect(await target.client.dbsize()).toBe(1);
  });

  it('a database that the target has not', async () => {
    const few = await stage.side('redis-8.0', { args: ['--databases', '2'] });
    const other = await stage.testApp({ FEW: few }, app.env);
    const { report } = await run(other, { source: sourceOf('plain.rdb'), target: 'FEW' });
    expect(report).toMatchObject({ state: 'failed', cause: expect.stringContaining('has no database 5') as string });
    const dry = await run(other, { source: sourceOf('plain.rdb'), target: 'FEW', mode: 'dry-run' });
    expect(dry.report).toMatchObject({ state: 'completedWithDifferences', counts: { scanned: KEYS } });
    expect(await few.client.dbsize()).toBe(0);
  });

  it('a file that was written anew meanwhile', async () => {
    const place = path.join(folder, 'anew.rdb');
    await copyFile(path.join(folder, 'plain.rdb'), place);
    const [id, message] = await begun({ source: sourceOf('anew.rdb') });
    await writeFile(place, 'something else');
    await workOnRange(message, app);
    await visitMigration(id, app);
    expect(await getReport(id, app)).toMatchObject({
      state: 'failed',
      cause: expect.stringContaining('was written anew, or deleted') as string,
    });
  });

  it('another migration that writes to the target, from the start on', async () => {
    const [id] = await begun();
    await expect(startMigration(requestOf({ source: sourceOf('packed.rdb.gz') }), app)).rejects.toMatchObject({
      code: 'targetBusy',
    });
    await cancelMigration(id, app);
    await visitMigration(id, app);
  });
});
