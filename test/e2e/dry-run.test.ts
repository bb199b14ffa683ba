import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SurveyReport } from '../../src/survey/survey-report';
import type { AppProcess } from './support/app-process';
import { digest, Stage, type Side } from './support/stage';

const snapshot = path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb');
const KEYS = 18_270;

const stage = new Stage();
let folder: string;
let app: AppProcess;
let sides: Record<'OLD6' | 'OLD8' | 'NEW6' | 'NEW8', Side>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-dry-run-'));
  await copyFile(snapshot, path.join(folder, 'dump.rdb'));
  const loaded = { dataFolder: folder, rdb: 'dump.rdb' };
  sides = {
    OLD6: await stage.side('redis-6.0', loaded),
    OLD8: await stage.side('redis-8.0', loaded),
    NEW6: await stage.side('redis-6.0'),
    NEW8: await stage.side('redis-8.0'),
  };
  app = await stage.app(stage.connections(sides));
}, 120_000);

afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

async function dryRun(body: object): Promise<SurveyReport> {
  const { id } = await app.run({ mode: 'dry-run', ...body });
  return (await app.request<SurveyReport>('GET', `/api/migrations/${id}/report`)).body;
}

it('tells all about the Redis 4 snapshot and writes nothing', async () => {
  const before = await digest(sides.OLD6);
  const report = await dryRun({ source: 'OLD6', target: 'NEW8' });
  if (process.env.SHOW_REPORT) console.log(JSON.stringify(report, null, 1));
  expect(report).toMatchObject({ state: 'completed', complete: true, total: { keys: KEYS } });
  expect(await digest(sides.OLD6)).toBe(before);
  expect(await sides.NEW8.client.info('keyspace')).not.toContain('db0');
}, 120_000);
