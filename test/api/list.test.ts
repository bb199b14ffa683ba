import { listReports } from '../../src/api/read-migrations';
import { aMigration } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';

const stage = new Stage();
let app: TestApp;

beforeAll(async () => {
  app = await stage.testApp({});
  for (let i = 0; i < 210; i++) {
    const startedAt = new Date(Date.parse('2026-01-01T00:00:00.000Z') + i * 1_000).toISOString();
    await app.ledger.migrations.create(aMigration({ id: `migration-${i}`, state: 'completed', startedAt }));
  }
});
afterAll(() => stage.clear());

it('the list of the newest migrations reads no plan but of those that have changed', async () => {
  const read = jest.spyOn(app.ledger.migrations, 'getOrUnreadable');
  const all = jest.spyOn(app.ledger.migrations, 'read');
  const { migrations } = await listReports(app);
  expect(migrations).toHaveLength(200);
  expect([migrations[0]?.id, migrations.at(-1)?.id]).toEqual(['migration-209', 'migration-10']);
  expect(read).toHaveBeenCalledTimes(200);
  read.mockClear();
  expect(await listReports(app)).toEqual({ migrations });
  expect(read).not.toHaveBeenCalled();
  await app.ledger.migrations.update('migration-150', (row) => ({ ...row, state: 'failed' }));
  const later = await listReports(app);
  expect(later.migrations.filter(({ state }) => state === 'failed').map(({ id }) => id)).toEqual(['migration-150']);
  expect(read).toHaveBeenCalledTimes(1);
  expect(all).not.toHaveBeenCalled();
});
