import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { cancelMigration } from '../../src/api/cancel-migration';
import { getReport } from '../../src/api/read-migrations';
import { FileError } from '../../src/files/file-error';
import type { RangeMessage } from '../../src/ledger/range-queue';
import { parseMigrationRequest } from '../../src/migration/request';
import { startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration } from '../../src/tally/tally-visit';
import { workOnRange } from '../../src/work/range-worker';
import { checkRdb } from '../tools/check-rdb';
import { Stage, type Side } from '../tools/stage';
import type { TestApp } from '../tools/test-app';

const KEYS = 2_000;
const SEAL = 'seal-00000';

const stage = new Stage();
let folder: string;
let source: Side;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-seal-'));
  source = await stage.side('redis-6.0');
  const fill = source.client.pipeline();
  for (let i = 0; i < KEYS; i++) fill.set(`key:${i}`, randomBytes(4_000));
  await fill.exec();
  // Expiries that no exact number tells.
  await source.client.call('PEXPIREAT', 'key:0', '9223372036854775807');
  const quick = { KEYFERRY_CHECKPOINT_SECONDS: '0.1', KEYFERRY_RANGE_SECONDS: '1' };
  app = await stage.testApp({ OLD: source }, { RDB_FILES: pathToFileURL(folder).href, ...quick });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await app.takeMessages();
});
afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

/** A backup of which all but the last step is done: its id, and the message for that step. */
async function written(file: string, changes: Record<string, unknown> = {}): Promise<readonly [string, RangeMessage]> {
  const request = { source: 'OLD', target: { rdb: 'FILES', file, ...changes } };
  const { id } = await startMigration(parseMigrationRequest(request), app);
  for (let messages = await app.takeMessages(); messages.length > 0; messages = await app.takeMessages()) {
    for (const message of messages) await workOnRange(message, app);
  }
  const { due } = (await visitMigration(id, app))!;
  expect(due?.phase).toBe('seal');
  await startPhase(id, due!, app);
  const [message] = await app.takeMessages();
  return [id, message!];
}

const stateOf = async (id: string) => {
  await visitMigration(id, app);
  return await getReport(id, app);
};

it('a file that takes longer to be read once more than one message has time is read over several', async () => {
  const [id, message] = await written('slow.rdb');
  const store = app.files.get('FILES');
  const read = store.read.bind(store);
  const starts: number[] = [];
  jest.spyOn(store, 'read').mockImplementation(async (file, version, start, length) => {
    starts.push(start);
    if (start > 0) await new Promise((resolve) => setTimeout(resolve, 400));
    return await read(file, version, start, length);
  });

  let messages = [message];
  let count = 0;
  const shares: number[] = [];
  for (; messages.length > 0; count++) {
    for (const each of messages) await workOnRange(each, app);
    shares.push((await app.ledger.ranges.get(id, SEAL))!.share);
    messages = await app.takeMessages();
  }

  expect(count).toBeGreaterThan(1);
  expect(shares).toEqual([...shares].sort((one, other) => one - other));
  expect(shares.at(-1)).toBe(1);
  // What is behind the row is not read again.
  expect(starts.filter((start) => start === 1_048_576)).toHaveLength(1);
  expect(await stateOf(id)).toMatchObject({ state: 'completed', counts: { copied: KEYS }, cause: null });
  await checkRdb('redis-6.0', path.join(folder, 'slow.rdb'));
});

it('a file that came to be, though the answer to that was lost, is the backup', async () => {
  const [id, message] = await written('lost.rdb');
  const store = app.files.get('FILES');
  const commit = store.commit.bind(store);
  jest.spyOn(store, 'commit').mockImplementationOnce(async (...given) => {
    await commit(...given);
    // As Blob storage answers the client's next try.
    throw new FileError('exists', 'FILES/lost.rdb');
  });
  await expect(workOnRange(message, app)).rejects.toThrow('is there already');
  await workOnRange(message, app);
  expect(await stateOf(id)).toMatchObject({ state: 'completed', counts: { copied: KEYS }, cause: null });
  await checkRdb('redis-6.0', path.join(folder, 'lost.rdb'));
});

it('another file that takes its place is never taken for the backup', async () => {
  const place = path.join(folder, 'taken.rdb');
  const [first, ofFirst] = await written('taken.rdb', { overwrite: true });
  await workOnRange(ofFirst, app);
  await stateOf(first);
  const other = await readFile(place);
  const [id, message] = await written('taken.rdb', { overwrite: true });
  const store = app.files.get('FILES');
  const commit = store.commit.bind(store);
  jest.spyOn(store, 'commit').mockImplementationOnce(async (...given) => {
    await commit(...given);
    await writeFile(place, other);
  });
  await expect(workOnRange(message, app)).rejects.toThrow('was written anew');
  await expect(workOnRange(message, app)).rejects.toThrow('blocks that were kept for the file are gone');
  expect((await app.ledger.ranges.get(id, SEAL))?.state).not.toBe('done');
  expect(await readFile(place)).toEqual(other);
  await cancelMigration(id, app);
  await stateOf(id);
});

it('blocks that are gone leave no file, and are told', async () => {
  const [id, message] = await written('gone.rdb');
  await rm(path.join(folder, '.keyferry-staging'), { recursive: true });
  // Its own blocks are kept beside those that are missing.
  await expect(workOnRange(message, app)).rejects.toThrow('blocks that were kept for the file are gone');
  expect(await readdir(folder)).not.toContain('gone.rdb');
  await cancelMigration(id, app);
  await stateOf(id);
});
