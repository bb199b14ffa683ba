import type { TableClient } from '@azure/data-tables';
import { NewerRowError, NEWEST_VERSION, UnreadableRowError } from '../../src/ledger/row-schemas';
import { rangeName, type MigrationRow } from '../../src/migration/rows';
import { storageClients } from '../../src/ledger/storage-clients';
import { cancelMigration } from '../../src/api/cancel-migration';
import { failRange } from '../../src/tally/settle-ranges';
import { workOnRange } from '../../src/work/range-worker';
import { getFindings, getHistory, getRanges, getReport, listReports } from '../../src/api/read-migrations';
import { rangesOf, startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { until } from '../tools/app-process';
import { Keeper } from '../../src/tally/keeper';
import { visitMigration, type Visit } from '../../src/tally/tally-visit';
import { watchMigrations } from '../../src/tally/watch-migrations';
import { readSurveyReport } from '../../src/api/read-survey-report';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const KEYS = 12_000;
const stage = new Stage();
let source: TestServer;
let target: TestServer;
let app: TestApp;
let ranges: TableClient;
let migrations: TableClient;
let findings: TableClient;

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, KEYS);
  app = await stage.testApp({ OLD: source, NEW: target });
  const clients = storageClients(app.env);
  ranges = clients.table('KeyferryRanges');
  migrations = clients.table('KeyferryMigrations');
  findings = clients.table('KeyferryFindings');
});
afterEach(async () => {
  for await (const { rowKey } of migrations.listEntities({ queryOptions: { filter: "PartitionKey eq 'migration'" } })) {
    await migrations.deleteEntity('migration', rowKey!);
  }
  for await (const { rowKey } of migrations.listEntities({ queryOptions: { filter: "PartitionKey eq 'target'" } })) {
    await migrations.deleteEntity('target', rowKey!);
  }
  await app.takeMessages();
  await target.client.flushall();
});
afterAll(() => stage.clear());

/** Gives the target what the source has. */
const fillTarget = () => target.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, KEYS);

const start = (changes: Record<string, unknown> = {}) => startMigration(aRequest(changes), app);

async function workAll(): Promise<void> {
  for (let messages = await app.takeMessages(); messages.length > 0; messages = await app.takeMessages()) {
    for (const message of messages) await workOnRange(message, app);
  }
}

/** Visits as the tally does until the end, or the phase that is wanted. */
async function tally(id: string, until?: string): Promise<Visit> {
  for (;;) {
    const visit = (await visitMigration(id, app))!;
    if (visit.finished) return visit;
    if (visit.due !== null) await startPhase(id, visit.due, app);
    if (until !== undefined && (await app.ledger.migrations.get(id))?.phase === until) return visit;
    await workAll();
  }
}

const spoil = (migration: MigrationRow, name: string, changes: Record<string, unknown>) =>
  ranges.updateEntity({ partitionKey: migration.id, rowKey: name, ...changes }, 'Merge');
const spoilPlan = (id: string, changes: Record<string, unknown>) =>
  migrations.updateEntity({ partitionKey: 'migration', rowKey: id, ...changes }, 'Merge');
const causeOf = async (id: string) => (await getReport(id, app))?.cause;
const tallies = { ensureTally: () => Promise.resolve() };

describe('a range row that is lost', () => {
  it.each<[string, Record<string, unknown>]>([
    ['copy', { verify: 'none' }],
    ['sync', { mode: 'sync' }],
    ['compare', { mode: 'compare' }],
    ['survey', { mode: 'dry-run' }],
  ])('fails a migration in its phase %s and is named, whether its message has come or not', async (phase, request) => {
    await fillTarget();
    const migration = await start(request);
    await ranges.deleteEntity(migration.id, rangeName(phase, 1));
    await workAll();
    await ranges.deleteEntity(migration.id, rangeName(phase, 3));
    expect(await tally(migration.id)).toMatchObject({ status: { state: 'failed', ranges: { total: 4, failed: 2 } } });
    expect(await causeOf(migration.id)).toContain(`lost the row of the range ${rangeName(phase, 1)}`);
    expect(await getRanges(migration.id, app)).toMatchObject({ phase, databases: [{ states: 'dfdf' }] });
  });

  it.each<[string, Record<string, unknown>]>([
    ['look', { verify: 'quick' }],
    ['extra', { mode: 'sync', deleteExtra: true }],
  ])('fails the phase %s', async (phase, request) => {
    await fillTarget();
    for (const isFirst of [true, false]) {
      const migration = await start(request);
      const lostPhase = isFirst ? migration.phase : phase;
      await workAll();
      await tally(migration.id, phase);
      await workAll();
      await ranges.deleteEntity(migration.id, rangeName(lostPhase, 2));
      expect((await tally(migration.id)).status.state).toBe('failed');
      expect(await causeOf(migration.id)).toContain(rangeName(lostPhase, 2));
    }
  });

  it('ends the worker that was at it', async () => {
    const migration = await start({ limits: { keysPerSecond: 4_000 } });
    const [first] = await app.takeMessages();
    const working = workOnRange(first!, { ...app, settings: { ...app.settings, checkpointSeconds: 0.05 } });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await ranges.deleteEntity(migration.id, first!.range);
    await working;
    expect(await app.ledger.ranges.get(migration.id, first!.range)).toBeUndefined();
  });

  it('does not hold up the ranges behind it in its chain', async () => {
    const migration = await start({ limits: { parallelRanges: 1 } });
    await ranges.deleteEntity(migration.id, 'copy-00001');
    await spoil(migration, 'copy-00002', { cursor: 'x' });
    await workAll();
    expect(await getRanges(migration.id, app)).toMatchObject({ databases: [{ states: 'dffd' }] });
    expect((await tally(migration.id)).status.state).toBe('failed');
  });
});

describe('a start of a phase that was cut short', () => {
  it.each(['copy', 'look'] as const)(
    'after the phase %s was written down is finished: its rows by the next visit, their messages by the keeper',
    async (phase) => {
      const migration = await start({ verify: 'quick' });
      if (phase === 'look') {
        await workAll();
        await app.ledger.migrations.update(migration.id, (row) => ({ ...row, phase, state: 'verifying' }));
        await app.ledger.ranges.create(rangesOf({ ...migration, phase }).slice(0, 2));
      } else {
        await app.takeMessages();
        await app.ledger.migrations.update(migration.id, (row) => ({ ...row, state: 'planned', phasesWithRows: [] }));
        await ranges.deleteEntity(migration.id, 'copy-00003');
      }
      expect(await visitMigration(migration.id, app)).toMatchObject({
        finished: false,
        status: { ranges: { total: 4 } },
      });
      const hasBegun = async () => (await app.ledger.migrations.get(migration.id))?.phasesWithRows.includes(phase);
      expect(await hasBegun()).toBe(false);
      const keeper = new Keeper({ ...app, settings: { ...app.settings, silenceSeconds: 0.5 } });
      keeper.wake();
      await until(async () => (await hasBegun()) === true);
      await keeper.stop();
      const sent = await app.takeMessages();
      expect(sent.map(({ range }) => range).sort()).toEqual([0, 1, 2, 3].map((number) => rangeName(phase, number)));
      for (const message of sent) await workOnRange(message, app);
      expect((await tally(migration.id)).status).toMatchObject({ state: 'completed', accountedKeys: KEYS });
    },
  );

  it('is finished by a visit of a row that an earlier version wrote', async () => {
    const migration = await start({ verify: 'quick' });
    await workAll();
    await tally(migration.id, 'look');
    const { phasesWithRows: _, version: __, ...old } = await migrations.getEntity('migration', migration.id);
    await migrations.updateEntity({ ...old, partitionKey: 'migration', rowKey: migration.id }, 'Replace');
    expect((await app.ledger.migrations.get(migration.id))?.phasesWithRows).toEqual(['copy']);
    await workAll();
    expect((await tally(migration.id)).status.state).toBe('completed');
  });
});

const garbage: [string, Record<string, unknown>][] = [
  ['counts', { counts: '{"scanned":-1}' }],
  ['counts', { counts: '{}' }],
  ['counts', { counts: 'no json' }],
  ['state', { state: 'finished' }],
  ['phase', { phase: 'dance' }],
  ['cursor', { cursor: '-1' }],
  ['cursor', { cursor: '6277101735386680763835789423207666416102355444464034512896' }],
  ['share', { share: 'NaN' }],
  ['share', { share: '1.5' }],
  ['share', { share: '' }],
  ['epoch', { epoch: 'one' }],
  ['generation', { generation: -1 }],
  ['heartbeat', { heartbeat: 'long ago' }],
  ['version', { version: 0 }],
  ['version', { version: 'two' }],
];

describe('a range row with garbage', () => {
  it.each(garbage)('in its %s is a failed range, for tally, reports and cancel: %j', async (field, changes) => {
    const migration = await start();
    await spoil(migration, 'copy-00002', changes);
    expect(await visitMigration(migration.id, app)).toMatchObject({ status: { ranges: { failed: 1 } } });
    const report = await getRanges(migration.id, app);
    expect(report).toMatchObject({ databases: [{ states: 'ppfp' }], troubled: [{ index: 2 }] });
    expect(report?.troubled[0]?.message).toContain(`copy-00002 cannot be read: ${field}`);
    await cancelMigration(migration.id, app);
    expect((await tally(migration.id)).status.state).toBe('cancelled');
  });

  it('fails the migration, and the worker that gets its message settles it', async () => {
    const migration = await start({ verify: 'none' });
    await spoil(migration, 'copy-00002', { counts: '[]' });
    await workAll();
    expect(await app.ledger.ranges.get(migration.id, 'copy-00002')).toMatchObject({
      state: 'failed',
      epoch: 0,
      index: 2,
      cause: expect.stringContaining('cannot be read: counts') as string,
    });
    expect((await tally(migration.id)).status.state).toBe('failed');
    expect(await causeOf(migration.id)).toMatch(/copy-00002 cannot be read/);
  });

  it('is settled by its poisoned message too, and a message of no range does nothing', async () => {
    const migration = await start();
    await app.takeMessages();
    await spoil(migration, 'copy-00002', { counts: '[]' });
    await failRange({ migration: migration.id, range: 'copy-00002' }, app);
    expect((await app.ledger.ranges.get(migration.id, 'copy-00002'))?.broken).toBeUndefined();
    await failRange({ migration: migration.id, range: 'copy-00009' }, app);
    await workOnRange({ migration: migration.id, range: 'look-00000' }, app);
    expect(await app.takeMessages()).toEqual([]);
  });

  it('that is one too many fails the migration', async () => {
    const migration = await start({ verify: 'none' });
    await workAll();
    const row = await ranges.getEntity(migration.id, 'copy-00003');
    await ranges.createEntity({ ...row, partitionKey: migration.id, rowKey: 'copy-00004', number: 4 });
    expect((await tally(migration.id)).status.state).toBe('failed');
    expect(await causeOf(migration.id)).toMatch(/copy-00004, which the plan does not know/);
  });
});

describe('a plan row with garbage', () => {
  it.each<[string, Record<string, unknown>]>([
    ['plan', { plan0: '{"half":' }],
    ['plan', { plan0: '{}' }],
    ['state', { state: 'dancing' }],
    ['epoch', { epoch: -3 }],
    ['startedAt', { startedAt: 'yesterday' }],
    ['cancelRequested', { cancelRequested: 'no' }],
  ])('in its %s is told, holds its target, and keeps no other from being looked after: %j', async (field, changes) => {
    const broken = await start();
    const messages = await app.takeMessages();
    await spoilPlan(broken.id, changes);
    app.watch.forget(broken.id);
    const other = await start({ mode: 'compare' });
    await app.takeMessages();
    await app.ledger.migrations.update(other.id, (row) => ({ ...row, startedAt: new Date(0).toISOString() }));

    expect((await listReports(app)).migrations.map(({ id, state }) => [id, state]).sort()).toEqual(
      [
        [broken.id, 'unreadable'],
        [other.id, 'running'],
      ].sort(),
    );
    for (const read of [getReport, getRanges, getHistory, visitMigration]) {
      await expect(read(broken.id, app)).rejects.toThrow(UnreadableRowError);
      await expect(read(broken.id, app)).rejects.toThrow(`"${broken.id}" cannot be read: ${field}`);
    }
    await expect(getFindings(broken.id, 10, undefined, app)).rejects.toThrow(UnreadableRowError);
    const seen: string[] = [];
    const watching = watchMigrations(app, { ensureTally: (id) => Promise.resolve(void seen.push(id)) });
    await expect(watching).rejects.toThrow('1 migrations could not be looked after');
    expect(seen).toEqual([other.id]);

    // Its ranges that nobody works on are sent again.
    await app.ledger.migrations.update(other.id, (row) => ({ ...row, startedAt: new Date().toISOString() }));
    const keeper = new Keeper({ ...app, settings: { ...app.settings, silenceSeconds: 0.2 } });
    keeper.wake();
    const open = new Set((await app.ledger.ranges.list(other.id)).map(({ name }) => name));
    expect(open.size).toBeGreaterThan(1);
    while (open.size > 0) {
      for (const { migration, range } of await app.takeMessages()) {
        expect(migration).toBe(other.id);
        open.delete(range);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await keeper.stop();
    await app.takeMessages();

    // Its messages are taken, and its workers end.
    await workOnRange(messages[0]!, app);
    await failRange(messages[0]!, app);
    expect(await app.watch.get(broken.id)).toBeUndefined();
    expect(await app.takeMessages()).toEqual([]);

    await expect(start()).rejects.toMatchObject({ code: 'targetBusy' });
    await expect(cancelMigration(broken.id, app)).rejects.toThrow(/has ended as failed/);
    await watchMigrations(app, tallies);
    await start();
  });

  it('is told to whoever asks for it by its requestId', async () => {
    const broken = await start({ requestId: 'one' });
    await spoilPlan(broken.id, { plan0: '' });
    await expect(start({ requestId: 'one' })).rejects.toThrow(UnreadableRowError);
  });
});

describe('a row of a newer version', () => {
  const newer = { version: NEWEST_VERSION + 1 };

  it('of a plan is listed as unreadable, holds its target, and is not touched', async () => {
    const migration = await start();
    const messages = await app.takeMessages();
    await spoilPlan(migration.id, newer);
    app.watch.forget(migration.id);
    const before = await migrations.getEntity('migration', migration.id);
    expect(await listReports(app)).toMatchObject({ migrations: [{ id: migration.id, state: 'unreadable' }] });
    for (const read of [getReport, getRanges, getHistory, visitMigration, cancelMigration]) {
      await expect(read(migration.id, app)).rejects.toThrow(NewerRowError);
      await expect(read(migration.id, app)).rejects.toThrow(/a newer version of Keyferry wrote it .* up to date$/);
    }
    for (const message of messages) await workOnRange(message, app);
    await failRange(messages[0]!, app);
    await expect(watchMigrations(app, tallies)).rejects.toThrow('1 migrations could not be looked after');
    await expect(start()).rejects.toMatchObject({ code: 'targetBusy' });
    expect((await migrations.getEntity('migration', migration.id)).etag).toBe(before.etag);
  });

  it('of a range stops whoever meets it, and judges nothing', async () => {
    const migration = await start();
    const messages = await app.takeMessages();
    const { version: _, ...theirs } = await ranges.getEntity(migration.id, 'copy-00002');
    await spoil(migration, 'copy-00002', newer);
    const before = await ranges.getEntity(migration.id, 'copy-00002');
    const message = messages.find(({ range }) => range === 'copy-00002')!;
    await expect(workOnRange(message, app)).rejects.toThrow(NewerRowError);
    await expect(failRange(message, app)).rejects.toThrow(NewerRowError);
    for (const read of [getRanges, visitMigration])
      await expect(read(migration.id, app)).rejects.toThrow(NewerRowError);
    expect((await ranges.getEntity(migration.id, 'copy-00002')).etag).toBe(before.etag);
    expect(await getReport(migration.id, app)).toMatchObject({ state: 'running', cause: null });

    // It goes on as soon as an app is there that knows such rows; one without a version is known to all.
    await ranges.updateEntity({ ...theirs, partitionKey: migration.id, rowKey: 'copy-00002' }, 'Replace');
    for (const one of messages) await workOnRange(one, app);
    expect((await tally(migration.id)).status.state).toBe('completed');
  });

  it('of a sum keeps a visit from adding up without it', async () => {
    const migration = await start();
    await visitMigration(migration.id, app);
    const at = { partitionKey: 'snapshot', rowKey: migration.id };
    const { json0 } = await migrations.getEntity<{ json0: string }>(at.partitionKey, at.rowKey);
    await migrations.updateEntity({ ...at, json0: JSON.stringify({ ...JSON.parse(json0), ...newer }) }, 'Merge');
    await expect(visitMigration(migration.id, app)).rejects.toThrow(NewerRowError);
    await migrations.updateEntity({ ...at, json0 }, 'Merge');
    await workAll();
    expect((await tally(migration.id)).status.state).toBe('completed');
  });

  it('of a finding is told as one that cannot be read', async () => {
    const { id } = await start();
    await findings.createEntity({ partitionKey: id, rowKey: '7-abc', ...newer });
    expect(await getFindings(id, 10, undefined, app)).toMatchObject({
      findings: [{ database: 7, code: 'unreadable', message: expect.stringContaining('newer version') as string }],
    });
  });
});

describe('the last sum', () => {
  it('with garbage is none for the next visit, and added up again after the end', async () => {
    const migration = await start();
    await visitMigration(migration.id, app);
    const spoilSum = (json0: string) =>
      migrations.updateEntity({ partitionKey: 'snapshot', rowKey: migration.id, json0 }, 'Merge');
    await spoilSum('{"quietSeconds":1e308}');
    expect((await visitMigration(migration.id, app))?.status.state).toBe('running');
    await workAll();
    expect((await tally(migration.id)).status.state).toBe('completed');
    await spoilSum('nonsense');
    const report = await getReport(migration.id, app);
    expect(report).toMatchObject({ counts: { copied: KEYS }, progress: { percent: 100, ranges: { done: 4 } } });
    expect(report?.warnings).toEqual([expect.stringContaining('last sum is lost or cannot be read')]);
    expect(await getHistory(migration.id, app)).toEqual({ points: [[0, 0]] });
  });
});

describe('a finding with garbage', () => {
  it('is told as one that cannot be read', async () => {
    const { id } = await start();
    await findings.createEntity({ partitionKey: id, rowKey: '7-abc', database: 'x', code: 5 });
    expect(await getFindings(id, 10, undefined, app)).toMatchObject({
      findings: [{ database: 7, key: '', code: 'unreadable' }],
    });
  });
});

describe('a survey', () => {
  it.each(['garbage', 'lost'] as const)(
    'that is %s makes the report incomplete, and fails a range that goes on',
    async (how) => {
      const migration = await start({ mode: 'dry-run', limits: { keysPerSecond: 20_000 } });
      const [first, ...others] = await app.takeMessages();
      await workOnRange(first!, { ...app, settings: { ...app.settings, rangeSeconds: 0.3 } });
      for (const { range } of [first!, ...others].slice(0, 1)) {
        if (how === 'lost') await ranges.deleteEntity(migration.id, `survey-${range}`);
        else
          await ranges.updateEntity(
            { partitionKey: migration.id, rowKey: `survey-${range}`, packed0: Buffer.from('x') },
            'Merge',
          );
      }
      await app.takeMessages();
      await expect(workOnRange(first!, app)).rejects.toThrow(/dry run has learnt/);
      await failRange(first!, app);
      for (const message of others) await workOnRange(message, app);
      expect(await readSurveyReport(migration.id, app)).toMatchObject({ complete: false });
      expect((await tally(migration.id)).status.state).toBe('failed');
      expect(await causeOf(migration.id)).toMatch(/dry run has learnt of a range cannot be read/);
    },
  );
});
