import type { TableClient } from '@azure/data-tables';
import { isFinal, type MigrationRow } from '../../src/migration/rows';
import { storageClients } from '../../src/ledger/storage-clients';
import { startMigration } from '../../src/start/start-migration';
import { workOnRange } from '../../src/work/range-worker';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration } from '../../src/tally/tally-visit';
import { claimAlso, claimTarget } from '../../src/start/target-claims';
import { watchMigrations } from '../../src/tally/watch-migrations';
import { startCuttingProxy } from '../tools/cutting-proxy';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import { makeTestApp, type TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const stage = new Stage();
let source: TestServer;
let target: TestServer;
let app: TestApp;
let table: TableClient;

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  await source.client.mset('a', '1', 'b', '2');
  const { port } = new URL(target.server.url);
  app = await stage.testApp(
    { OLD: source, NEW: target },
    {
      REDIS_URL: `redis://LocalHost:${port}`,
      REDIS_PORTAL: `127.1:${port},abortConnect=False`,
    },
  );
  table = storageClients(app.env).table('KeyferryMigrations');
});
afterEach(async () => {
  for (const { id } of await app.ledger.migrations.list('open')) await end(id);
  for await (const { rowKey } of table.listEntities({ queryOptions: { filter: "PartitionKey eq 'target'" } })) {
    await table.deleteEntity('target', rowKey!);
  }
  await app.takeMessages();
});
afterAll(() => stage.clear());

const start = (changes: Record<string, unknown> = {}) => startMigration(aRequest(changes), app);
const end = (id: string) =>
  app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: new Date().toISOString() }));
const busy = { status: 409, code: 'targetBusy' };
const claims = async () => {
  const held: Record<string, unknown>[] = [];
  const filter = "PartitionKey eq 'target'";
  for await (const entity of table.listEntities({ queryOptions: { filter } })) held.push(entity);
  return held;
};
/** The target as another process, as after a restart. */
const restarted = (row: MigrationRow): MigrationRow => ({
  ...row,
  plan: { ...row.plan, target: { ...row.plan.target, runId: 'f'.repeat(40) } },
});

describe('a target', () => {
  it('that is another process since a phase began is held under that one too, also by another address', async () => {
    const first = await start();
    for (const message of await app.takeMessages()) await workOnRange(message, app);
    await target.server.restart();
    // Sees the restart before the tally does.
    await startPhase(first.id, { phase: 'look', depth: 'values', from: { phase: 'copy', epoch: 0 } }, app);
    await visitMigration(first.id, app);
    const alias = await startCuttingProxy(Number(new URL(target.server.url).port), Infinity);
    const other = await makeTestApp({
      ...app.env,
      REDIS_NEW: alias.url,
    });
    try {
      await expect(startMigration(aRequest(), other)).rejects.toMatchObject(busy);
    } finally {
      other.connections.close();
      await alias.close();
    }
  });

  it('that restarts between two starts is still held, and free when the first has ended', async () => {
    const first = await start();
    await target.server.restart();
    await expect(start()).rejects.toMatchObject(busy);
    await expect(start({ mode: 'sync' })).rejects.toMatchObject(busy);
    await start({ mode: 'compare' });
    await end(first.id);
    expect((await start()).state).toBe('running');
  });

  it.each(['URL', 'PORTAL'])('is held under another name and spelling of its host too: %s', async (name) => {
    const first = await start();
    const { plan } = restarted(first);
    const other = { ...plan, request: aRequest({ target: name }) };
    await expect(claimTarget(other, 'another', app)).rejects.toMatchObject(busy);
    await expect(start({ target: name })).rejects.toMatchObject(busy);
  });

  it('is held by nobody where the start was refused', async () => {
    const first = await start();
    const { plan } = restarted(first);
    await expect(claimTarget(plan, 'another', app)).rejects.toMatchObject(busy);
    expect(new Set((await claims()).map(({ migration }) => migration))).toEqual(new Set([first.id]));
  });

  it('is not named in the ledger', async () => {
    await start();
    const held = await claims();
    expect(held).toHaveLength(2);
    expect(JSON.stringify(held)).not.toMatch(/127\.|localhost/);
  });

  it('is given to one of many that start at once under several names', async () => {
    const names = ['NEW', 'URL', 'PORTAL', 'NEW', 'URL', 'PORTAL'];
    const results = await Promise.allSettled(names.map((name) => start({ target: name })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject(busy);
  });

  it('is claimed by the process that it has become, unless another migration has that', async () => {
    const first = await start();
    expect(await claimAlso(first, 'e'.repeat(40), app)).toBeUndefined();
    expect(await claimAlso(first, 'e'.repeat(40), app)).toBeUndefined();
    expect(await claimAlso({ ...first, id: 'another' }, 'e'.repeat(40), app)).toBe(first.id);
    expect(await claims()).toHaveLength(3);
  });

  it('is held by a start that has no row yet, but not by one that never came to it', async () => {
    const { plan, id } = await start();
    await end(id);
    await claimTarget(plan, 'starting', app);
    await expect(start()).rejects.toMatchObject(busy);
    for (const { rowKey } of await claims()) {
      await table.updateEntity(
        { partitionKey: 'target', rowKey: String(rowKey), claimedAt: '2026-01-01T00:00:00.000Z' },
        'Merge',
      );
    }
    await start();
  });

  it.each(['lost', 'garbage'])('whose claims are %s is still written to by one migration only', async (how) => {
    await start();
    for (const { rowKey } of await claims()) {
      if (how === 'lost') await table.deleteEntity('target', String(rowKey));
      else await table.updateEntity({ partitionKey: 'target', rowKey: String(rowKey), migration: 5 }, 'Replace');
    }
    await expect(start()).rejects.toMatchObject(busy);
    await expect(start()).rejects.toMatchObject(busy);
  });

  it('that another migration has taken ends a start that was cut short', async () => {
    const first = await start();
    await app.takeMessages();
    const { etag: _, ...row } = first;
    const startedAt = new Date(0).toISOString();
    await app.ledger.migrations.create({ ...row, id: 'cut', state: 'planned', phasesWithRows: [], startedAt });
    await watchMigrations(app, { ensureTally: () => Promise.resolve() });
    const cut = await app.ledger.migrations.get('cut');
    expect(cut).toMatchObject({ state: 'failed', cause: expect.stringContaining(first.id) as string });
    expect(isFinal(cut!)).toBe(true);
    expect(await app.ledger.ranges.list('cut')).toEqual([]);
    await expect(start()).rejects.toMatchObject(busy);
  });

  it('of a conversion in place is its source, held the same', async () => {
    await start({ source: 'NEW', target: 'URL', convert: ['aspnet-session-v5'] });
    await expect(start()).rejects.toMatchObject(busy);
  });
});

it('a source that another migration writes to is warned of', async () => {
  const first = await start();
  const { plan } = await start({ source: 'URL', target: 'OLD', mode: 'compare' });
  expect(plan.warnings).toContainEqual(expect.stringContaining(`${first.id} is writing to the source`));
  await end(first.id);
  expect((await start({ source: 'NEW', target: 'OLD', mode: 'compare' })).plan.warnings).not.toContainEqual(
    expect.stringContaining('is writing to the source'),
  );
});
