import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { freePort } from '../../local/servers/free-port';
import { NewerRowError, NEWEST_VERSION } from '../../src/ledger/row-schemas';
import { storageClients } from '../../src/ledger/storage-clients';
import { cancelMigration } from '../../src/api/cancel-migration';
import { settleUntouched } from '../../src/tally/settle-ranges';
import { reportSchedules } from '../../src/schedule/report-schedules';
import { runSchedules } from '../../src/schedule/run-schedules';
import { readSchedules } from '../../src/schedule/schedule-settings';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import { startTestServer, type TestServer } from '../tools/test-server';

const stage = new Stage();
let old: TestServer;
let neu: TestServer;
let third: TestServer;
let app: TestApp;
/** Another process over the same storage. */
let twin: TestApp;
let closedPort: number;
const tallies: string[] = [];
const starter = {
  ensureTally: (id: string) => {
    tallies.push(id);
    return Promise.resolve();
  },
};

beforeAll(async () => {
  [old, neu, third] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-7.0'), stage.side('redis-7.0')]);
  closedPort = await freePort();
  await old.client.set('key', 'value');
  const sides = { OLD: old, NEW: neu, THIRD: third };
  const closed = { REDIS_CLOSED: `redis://127.0.0.1:${closedPort}` };
  app = await stage.testApp(sides, closed);
  twin = await stage.testApp(sides, closed);
});

afterAll(() => stage.clear());

beforeEach(async () => {
  tallies.length = 0;
  for (const { name } of (await app.schedules.list()).rows) await app.schedules.remove(name);
});

afterEach(async () => {
  for (const { id } of await app.ledger.migrations.list('open')) await end(id);
  await neu.client.flushall();
});

/** Brings a migration that nobody works on to its end. */
async function end(id: string): Promise<void> {
  const row = await cancelMigration(id, app);
  if (row !== undefined) await settleUntouched(row, app);
  await app.ledger.migrations.update(id, (now) => ({
    ...now,
    state: 'cancelled',
    finishedAt: new Date().toISOString(),
  }));
}

const hourly = { cron: '0 0 * * * *' };
const copy = { source: 'OLD', target: 'NEW' };
const schedulesOf = (...entries: unknown[]) =>
  readSchedules({ ...app.env, SCHEDULED_MIGRATIONS: JSON.stringify(entries) });

const HOUR = 3_600_000;
/** A whole hour of the past. What is settled goes by the real clock, so that tests begin there. */
const start = Math.floor(Date.now() / HOUR) * HOUR;
const clock = (hours: number, since = start - HOUR / 2) => ({ now: start + hours * HOUR, since });

it('what a store of files, or anything unforeseen, keeps from starting is told in words', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-schedules-'));
  try {
    writeFileSync(path.join(folder, 'dump.rdb'), 'is there');
    const withStore = await stage.testApp({ OLD: old }, { RDB_BACKUPS: pathToFileURL(folder).href });
    const backup = { source: 'OLD', target: { rdb: 'BACKUPS', file: 'dump.rdb' } };
    const entries = JSON.stringify([{ name: 'backup', when: hourly, migration: backup }]);
    const settings = readSchedules({ ...withStore.env, SCHEDULED_MIGRATIONS: entries });
    expect(settings.mistakes).toEqual([]);
    const message = expect.stringMatching(/"BACKUPS\/dump.rdb": a file of this name is there already/) as string;
    expect(await runSchedules(settings, withStore, starter, clock(0))).toMatchObject([{ state: 'refused', message }]);
    expect((await reportSchedules(settings, withStore, clock(0))).schedules).toMatchObject([
      { last: { state: 'refused', message } },
    ]);
    const other = schedulesOf({ name: 'unforeseen', when: hourly, migration: copy });
    const failing = { ...app, queue: { send: () => Promise.reject(new Error('nobody foresaw this')) } as never };
    await expect(runSchedules(other, failing, starter, clock(0))).rejects.toThrow(/1 schedules could not/);
    expect((await reportSchedules(other, app, clock(0))).schedules).toMatchObject([
      { last: { state: 'starting', message: expect.stringMatching(/in the log of the app/) as string } },
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('a timer that fires twice, on two machines at once, starts one migration', async () => {
  const settings = schedulesOf({ name: 'twice', when: hourly, migration: copy });
  await runSchedules(settings, app, starter, clock(-0.25));
  const before = (await app.ledger.migrations.list()).length;
  const both = [app, twin, app, twin];
  const outcomes = await Promise.all(both.map((process) => runSchedules(settings, process, starter, clock(0))));
  outcomes.push(await runSchedules(settings, twin, starter, clock(0.01)));
  const started = new Set(outcomes.flat().map(({ migration }) => migration));
  expect(started.size).toBe(1);
  expect(await app.ledger.migrations.list()).toHaveLength(before + 1);
  const [id = ''] = started;
  expect(tallies).toContain(id);
  const { schedules } = await reportSchedules(settings, app, clock(0.01));
  expect(schedules).toMatchObject([
    { name: 'twice', last: { due: new Date(start).toISOString(), migration: id, state: 'running' }, waiting: null },
  ]);
});

it('a run that lasts longer than its schedule is waited for, and what came due meanwhile is made up for once', async () => {
  const settings = schedulesOf({ name: 'long', when: hourly, migration: copy });
  const [first] = await runSchedules(settings, app, starter, clock(0));
  expect(first).toMatchObject({ state: 'started', message: null });
  for (const hours of [1, 2, 3.5]) expect(await runSchedules(settings, twin, starter, clock(hours))).toEqual([]);
  const { schedules } = await reportSchedules(settings, app, clock(3.5));
  expect(schedules[0]?.waiting).toEqual({ due: new Date(start + 3 * HOUR).toISOString(), for: first?.migration });

  await end(first?.migration ?? '');
  const [second, ...more] = await runSchedules(settings, app, starter, clock(3.5));
  expect(second).toMatchObject({ state: 'started', due: new Date(start + 3 * HOUR).toISOString() });
  expect(more).toEqual([]);
  await end(second?.migration ?? '');
  expect(await runSchedules(settings, app, starter, clock(3.6))).toEqual([]);
});

it('a Redis that cannot be reached is tried again until it can', async () => {
  const settings = schedulesOf({ name: 'away', when: hourly, migration: { source: 'CLOSED', target: 'NEW' } });
  const [first] = await runSchedules(settings, app, starter, clock(0));
  expect(first).toMatchObject({ state: 'starting', message: expect.stringContaining('CLOSED') as string });
  expect((await reportSchedules(settings, app, clock(0))).schedules[0]?.last).toMatchObject({
    state: 'starting',
    message: first?.message,
  });
  expect(tallies).toEqual([]);

  const late = await startTestServer('redis-6.0', { port: closedPort });
  try {
    await late.client.set('late', 'value');
    const [second] = await runSchedules(settings, twin, starter, clock(0.05));
    expect(second).toMatchObject({ state: 'started', due: first?.due, migration: first?.migration, message: null });
  } finally {
    await late.close();
  }
});

it('a target that another migration writes to is waited for', async () => {
  const one = schedulesOf({ name: 'one', when: hourly, migration: copy });
  const both = schedulesOf(
    { name: 'one', when: hourly, migration: copy },
    { name: 'other', when: { cron: '0 30 * * * *' }, migration: copy },
  );
  const [first] = await runSchedules(one, app, starter, clock(0));
  const [second] = await runSchedules(both, app, starter, clock(0.5, start));
  expect(second).toMatchObject({ schedule: 'other', state: 'starting' });
  expect(second?.message).toContain(first?.migration);
  await end(first?.migration ?? '');
  expect(await runSchedules(both, app, starter, clock(0.52))).toMatchObject([{ schedule: 'other', state: 'started' }]);
});

it('what cannot be done as configured is refused once, and tried again when it comes due again', async () => {
  await neu.client.set('there', 'already');
  const settings = schedulesOf(
    { name: 'full', when: hourly, migration: { ...copy, onConflict: 'fail' } },
    { name: 'good', when: hourly, migration: { source: 'OLD', target: 'THIRD' } },
  );
  const outcomes = await runSchedules(settings, app, starter, clock(0));
  expect(outcomes.map(({ schedule, state }) => [schedule, state])).toEqual([
    ['full', 'refused'],
    ['good', 'started'],
  ]);
  expect(outcomes[0]?.message).toContain('onConflict');
  expect(await runSchedules(settings, app, starter, clock(0.1))).toEqual([]);
  await neu.client.flushall();
  expect(await runSchedules(settings, app, starter, clock(1))).toMatchObject([{ schedule: 'full', state: 'started' }]);
});

it('a start that was cut short is finished by the next look, also when the setting was changed in between', async () => {
  const settings = schedulesOf({ name: 'cut', when: hourly, migration: copy });
  const failing = { ensureTally: () => Promise.reject(new Error('cut short')) };
  await expect(runSchedules(settings, app, failing, clock(0))).rejects.toThrow('1 schedules');
  const known = (await app.schedules.get('cut'))!;
  // As it is when the process ends between the start and the writing down of it.
  await app.schedules.replace({
    ...known,
    settledUntil: new Date(start - HOUR / 2).toISOString(),
    run: { ...known.run!, state: 'starting' },
  });
  const changed = schedulesOf({ name: 'cut', when: hourly, migration: { ...copy, verify: 'none' } });
  expect(await runSchedules(changed, twin, starter, clock(0.02))).toMatchObject([
    { state: 'started', migration: known.run?.migration, message: null },
  ]);
  expect(tallies).toEqual([known.run?.migration]);
});

it('a schedule that was taken out of the settings makes up for nothing when it comes back', async () => {
  const settings = schedulesOf({ name: 'gone', when: hourly, migration: copy });
  await runSchedules(settings, app, starter, clock(-0.25));
  const broken = readSchedules({ ...app.env, SCHEDULED_MIGRATIONS: '[{"name":"gone"}]' });
  await runSchedules(broken, app, starter, clock(-0.2));
  expect((await app.schedules.list()).rows).toHaveLength(1);
  await runSchedules(schedulesOf(), app, starter, clock(-0.1));
  expect((await app.schedules.list()).rows).toEqual([]);
  expect(await runSchedules(settings, app, starter, clock(5.5, start + 5.2 * HOUR))).toEqual([]);
});

it('tells the times to come in UTC and as the clock shows them, and what is wrong', async () => {
  const settings = readSchedules({
    ...app.env,
    SCHEDULED_MIGRATIONS: JSON.stringify([
      {
        name: 'sunday',
        when: { window: { day: 'Sunday', at: '02:00', zone: 'Europe/Berlin' }, before: 'PT2H' },
        migration: copy,
      },
    ]),
    SCHEDULED_MIGRATION_BAD: '{}',
  });
  const now = Date.parse('2026-03-20T00:00:00Z');
  const { schedules, mistakes } = await reportSchedules(settings, app, { now, since: now });
  expect(mistakes.map(({ path }) => path)).toEqual([
    'SCHEDULED_MIGRATION_BAD.when',
    'SCHEDULED_MIGRATION_BAD.migration',
  ]);
  expect(schedules).toMatchObject([
    { name: 'sunday', zone: 'Europe/Berlin', source: 'OLD', target: 'NEW', mode: 'copy', last: null, waiting: null },
  ]);
  expect(schedules[0]?.next.slice(0, 2)).toEqual([
    {
      at: '2026-03-21T23:00:00.000Z',
      local: '2026-03-22T00:00:00+01:00',
      window: { at: '2026-03-22T01:00:00.000Z', local: '2026-03-22T02:00:00+01:00' },
    },
    {
      at: '2026-03-28T23:00:00.000Z',
      local: '2026-03-29T00:00:00+01:00',
      window: { at: '2026-03-29T01:00:00.000Z', local: '2026-03-29T03:00:00+02:00' },
    },
  ]);
});

describe('what cannot be read in the storage', () => {
  const other = { name: 'other', when: hourly, migration: { source: 'OLD', target: 'THIRD' } };
  const table = (name: string) => storageClients(app.env).table(name);

  it.each([{ run: 'no json' }, { run: '{"state":"dancing"}' }, { settledUntil: 'never' }, { scheduleName: 5 }])(
    'of a schedule is as if it was never seen, and keeps no other from its time: %j',
    async (changes) => {
      const settings = schedulesOf({ name: 'Broken', when: hourly, migration: copy }, other);
      const outcomes = await runSchedules(settings, app, starter, clock(0));
      expect(outcomes.map(({ state }) => state)).toEqual(['started', 'started']);
      for (const { migration } of outcomes) await end(migration);
      const rowKey = 'broken';
      await table('KeyferrySchedules').updateEntity({ partitionKey: 'schedule', rowKey, ...changes }, 'Merge');
      expect((await reportSchedules(settings, app, clock(0))).schedules).toMatchObject([{ last: null }, {}]);
      // It was settled up to here, and this process read its settings later.
      const later = await runSchedules(settings, app, starter, clock(1, start + HOUR / 2));
      expect(later.map(({ schedule, state }) => `${schedule} ${state}`)).toEqual(['Broken started', 'other started']);
    },
  );

  it('of a schedule since a newer version wrote it is told and left alone, and keeps no other from its time', async () => {
    const unhindered = { ...other, name: 'unhindered' };
    const settings = schedulesOf({ name: 'Newer', when: hourly, migration: copy }, unhindered);
    await runSchedules(settings, app, starter, clock(-0.25));
    const newer = { partitionKey: 'schedule', rowKey: 'newer', version: NEWEST_VERSION + 1 };
    await table('KeyferrySchedules').updateEntity(newer, 'Merge');
    const { etag } = await table('KeyferrySchedules').getEntity('schedule', 'newer');
    for (const one of [settings, schedulesOf(unhindered)]) {
      const running = runSchedules(one, app, starter, clock(0));
      await expect(running).rejects.toMatchObject({ errors: [expect.any(NewerRowError)] });
    }
    expect((await app.ledger.migrations.list('open')).map(({ plan }) => plan.request.target)).toEqual(['THIRD']);
    expect((await table('KeyferrySchedules').getEntity('schedule', 'newer')).etag).toBe(etag);
    const { schedules, mistakes } = await reportSchedules(settings, app, clock(0));
    expect(schedules.map(({ name }) => name)).not.toContain('Newer');
    expect(schedules).not.toEqual([]);
    expect(mistakes).toContainEqual({
      path: 'Newer',
      message: expect.stringMatching(/a newer version of Keyferry/) as string,
    });
    await table('KeyferrySchedules').deleteEntity('schedule', 'newer');
  });

  it('of the migration of a run is waited for as for one that holds the target', async () => {
    const settings = schedulesOf({ name: 'unread', when: hourly, migration: copy }, { ...other, name: 'beside' });
    const [first, second] = await runSchedules(settings, app, starter, clock(0));
    const rowKey = first?.migration ?? '';
    await table('KeyferryMigrations').updateEntity({ partitionKey: 'migration', rowKey, plan0: '[' }, 'Merge');
    await end(second?.migration ?? '');
    expect((await reportSchedules(settings, app, clock(0))).schedules).toMatchObject([
      { last: { state: 'unknown' } },
      {},
    ]);
    const later = await runSchedules(settings, app, starter, clock(1));
    expect(later).toMatchObject([
      { schedule: 'unread', state: 'starting', message: expect.stringContaining(rowKey) as string },
      { schedule: 'beside', state: 'started' },
    ]);
    await expect(cancelMigration(rowKey, app)).rejects.toThrow('has ended as failed');
    expect(await runSchedules(settings, app, starter, clock(1))).toMatchObject([
      { schedule: 'unread', state: 'started' },
    ]);
  });
});
