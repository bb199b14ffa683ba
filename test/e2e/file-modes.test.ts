import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SurveyReport } from '../../src/survey/report-schema';
import type { AppProcess } from '../tools/app-process';
import { Stage, type Side } from '../tools/stage';

const snapshot = path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb');
const KEYS = 18_270;
const SOURCE = { rdb: 'FOLDER', file: 'dump.rdb' };

const stage = new Stage();
let folder: string;
let app: AppProcess;
let sides: Record<'OLD' | 'NEW' | 'OTHER', Side>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-file-modes-'));
  await copyFile(snapshot, path.join(folder, 'dump.rdb'));
  sides = {
    OLD: await stage.side('redis-6.0', { dataFolder: folder, rdb: 'dump.rdb' }),
    NEW: await stage.side('redis-8.0'),
    OTHER: await stage.side('redis-6.0'),
  };
  app = await stage.app({
    ...stage.connections(sides),
    RDB_FOLDER: pathToFileURL(folder).href,
    KEYFERRY_BIG_KEY_MIB: '1',
  });
});

afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

async function surveyOf(id: string): Promise<SurveyReport> {
  return (await app.request<SurveyReport>('GET', `/api/migrations/${id}/report`)).body;
}

/** How many keys there are of each sort. */
function keysBy<Amount extends { readonly keys: number }>(
  amounts: readonly Amount[],
  sortOf: (one: Amount) => unknown,
) {
  return Object.fromEntries(amounts.map((one) => [String(sortOf(one)), one.keys]));
}

describe('a dry run of a file', () => {
  it('tells of it what it would tell of the server that loads it, and writes nothing', async () => {
    await sides.NEW.client.flushall();
    const ofFile = await app.run({ source: SOURCE, target: 'NEW', mode: 'dry-run' });
    const ofServer = await app.run({ source: 'OLD', target: 'NEW', mode: 'dry-run' });

    expect(ofFile).toMatchObject({
      state: 'completed',
      counts: { scanned: KEYS, copied: KEYS, expired: 0, failed: 0 },
      findings: 0,
      warnings: [],
    });
    const [file, server] = [await surveyOf(ofFile.id), await surveyOf(ofServer.id)];
    expect(file).toMatchObject({ complete: true, bytesAre: 'payload', total: { keys: KEYS }, obstacles: [] });
    const facts = ({ databases, types, encodings, expiries }: SurveyReport) => [
      keysBy(databases, ({ database }) => database),
      keysBy(types, ({ type }) => type),
      keysBy(encodings, ({ type, objectEncoding }) => `${type} ${objectEncoding}`),
      keysBy(expiries, ({ from, to }) => `${from}-${to}`),
    ];
    expect(facts(file)).toEqual(facts(server));
    expect(file.outcome.copied.bytes).toBeGreaterThan(2_000_000);
    const largest = file.largestKeys.slice(0, 3).map(({ key }) => key);
    expect(largest.sort()).toEqual(
      server.largestKeys
        .slice(0, 3)
        .map(({ key }) => key)
        .sort(),
    );
    expect(await sides.NEW.client.dbsize()).toBe(0);
  });
});
