import { setTimeout as sleep } from 'node:timers/promises';
import { MigrationWatch } from '../../src/app/migration-watch';
import { Visits } from '../../src/app/visits';
import type { RangeMessage } from '../../src/ledger/range-queue';
import { LostRowError } from '../../src/ledger/range-rows';
import { Keeper } from '../../src/tally/keeper';
import { until } from '../tools/app-process';
import { rangeName, resetIfOlder, type Finding, type MigrationRow } from '../../src/migration/rows';
import { cancelMigration } from '../../src/api/cancel-migration';
import { noCounts } from '../../src/migration/counts';
import { failRange } from '../../src/tally/settle-ranges';
import { PlanRefusedError } from '../../src/migration/plan-refusals';
import { workOnRange } from '../../src/work/range-worker';
import { getFindings, getReport } from '../../src/api/read-migrations';
import { BadRequestError } from '../../src/migration/request';
import { StoppedError } from '../../src/migration/stop';
import { restartRanges } from '../../src/tally/restart-ranges';
import { startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { lanesLeft } from '../../src/range/chain';
import type { PagePlace } from '../../src/range/page-place';
import { RangeJob } from '../../src/range/range-job';
import { visitMigration, type DueStart } from '../../src/tally/tally-visit';
import { watchMigrations } from '../../src/tally/watch-migrations';
import { readServerFacts } from '../../src/redis/probe';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const KEYS = 12_000;
const stage = new Stage();
let source: TestServer;
let target: TestServer;
let app: TestApp;
let migrations: string[] = [];

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, KEYS);
  app = await stage.testApp(
    { OLD: source, NEW: target, SAME: source },
    {
      REDIS_DEAD: 'redis://:geheim@127.0.0.1:1',
    },
  );
});
afterEach(async () => {
  for (const id of migrations) {
    await app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  }
  migrations = [];
  await app.takeMessages();
  await target.client.flushall();
});
afterAll(() => stage.clear());

async function start(changes: Record<string, unknown> = {}): Promise<MigrationRow> {
  const migration = await startMigration(aRequest(changes), app);
  migrations.push(migration.id);
  return migration;
}

/** Works on what is in the queue until it is empty. */
async function workAll(): Promise<void> {
  for (let messages = await app.takeMessages(); messages.length > 0; messages = await app.takeMessages()) {
    for (const message of messages) await workOnRange(message, app);
  }
}

/** What the source tells, as another process would. */
const sourceNow = async (runId: string) => ({ ...(await readServerFacts(await source.connect())), runId });
/** The tally has not looked yet. */
const nothing = { sourceKeysNow: null };
const lookDue: DueStart = { phase: 'look', depth: 'existence', from: { phase: 'copy', epoch: 0 } };
const ranges = (id: string) => app.ledger.ranges.list(id);
/** Takes a range of the current phase, as its next worker does. */
async function jobOn(id: string, number: number, place?: PagePlace): Promise<RangeJob> {
  const migration = (await app.ledger.migrations.get(id))!;
  const known = (await app.ledger.ranges.get(id, rangeName(migration.phase, number)))!;
  const row = resetIfOlder(known, migration);
  const claimed = await app.ledger.ranges.replace({ ...row, state: 'active', generation: row.generation + 1 });
  return new RangeJob(claimed, migration, app, place === undefined ? {} : { place });
}
const wrong = (keys: readonly string[], code: Finding['code']) =>
  keys.map((key) => ({ key: Buffer.from(key), code, message: 'm' }));
/** Tells what is wrong after a last look, and settles the range. */
async function tellLast(job: RangeJob, keys: readonly string[], code: Finding['code']): Promise<void> {
  await job.add({}, await job.withoutFormer(wrong(keys, code)), 0n);
  await job.settle('done');
}
const message = (migration: MigrationRow, number: number) => ({
  migration: migration.id,
  range: rangeName('copy', number),
});

describe('a migration', () => {
  it('is planned, worked on range by range, and judged', async () => {
    const migration = await start();
    expect(migration.state).toBe('running');
    expect((await visitMigration(migration.id, app))?.status).toMatchObject({ state: 'running', percent: 0 });
    await workAll();
    const visit = await visitMigration(migration.id, app);
    expect(visit).toMatchObject({ finished: true, status: { state: 'completed', percent: 100, accountedKeys: KEYS } });
    expect(await target.client.dbsize()).toBe(KEYS);
    expect(await getReport(migration.id, app)).toMatchObject({
      state: 'completed',
      counts: { copied: KEYS, failed: 0 },
      tally: { sourceKeys: KEYS, accountedKeys: KEYS, targetKeys: KEYS, missing: 0, verdict: 'completed' },
      findings: 0,
    });
  });

  it('counts nothing twice when each message comes three times and two workers take it at once', async () => {
    const migration = await start();
    const messages = await app.takeMessages();
    await Promise.all([...messages, ...messages].map((one) => workOnRange(one, app)));
    for (const one of messages) await workOnRange(one, app);
    await workAll();
    const rows = await ranges(migration.id);
    expect(rows.every(({ state }) => state === 'done')).toBe(true);
    expect(rows.reduce((sum, { counts }) => sum + counts.scanned - counts.repeats, 0)).toBe(KEYS);
  });

  it('finds by looking what is missing on a target that had keys before', async () => {
    await target.client.set('of another', '1');
    const migration = await start();
    await workAll();
    await target.client.del('key:1', 'key:2');
    const visit = await visitMigration(migration.id, app);
    expect(visit).toMatchObject({ finished: false, due: { phase: 'look', depth: 'existence' } });
    await startPhase(migration.id, visit!.due!, app);
    await startPhase(migration.id, visit!.due!, app);
    await workAll();
    expect(await visitMigration(migration.id, app)).toMatchObject({
      finished: true,
      status: { state: 'completedWithDifferences', missing: 2 },
    });
    const page = await getFindings(migration.id, 10, undefined, app);
    expect(page?.findings.map(({ key, code }) => [key, code]).sort()).toEqual([
      ['key:1', 'missing'],
      ['key:2', 'missing'],
    ]);
  });

  it('keeps the counts of its copy when the source restarts in the second look', async () => {
    await target.client.set('of another', '1');
    const migration = await start();
    await workAll();
    await target.client.del('key:1');
    await startPhase(migration.id, lookDue, app);
    const looking = (await app.ledger.migrations.get(migration.id))!;
    await restartRanges(looking, 'another process', await sourceNow('another process'), nothing, app);
    expect((await visitMigration(migration.id, app))?.status).toMatchObject({ accountedKeys: KEYS });
    // A message of the copy that comes now does not begin it again.
    await workOnRange(message(migration, 0), app);
    expect((await app.ledger.ranges.get(migration.id, 'copy-00000'))?.epoch).toBe(0);
  });

  it('stops when cancelled: what nobody works on is settled at once', async () => {
    const migration = await start();
    const [first] = await app.takeMessages();
    await workOnRange(first!, app);
    await cancelMigration(migration.id, app);
    expect((await ranges(migration.id)).map(({ state }) => state).sort()).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
      'done',
    ]);
    expect(await visitMigration(migration.id, app)).toMatchObject({ finished: true, status: { state: 'cancelled' } });
    expect(await cancelMigration('unknown', app)).toBeUndefined();
  });

  it('hands a range on at its deadline, waiting in the queue with its place kept', async () => {
    const migration = await start({ limits: { keysPerSecond: 2_000 } });
    const [first] = await app.takeMessages();
    const hasty = { ...app, settings: { ...app.settings, rangeSeconds: 0.3 } };
    await workOnRange(first!, hasty);
    const row = (await app.ledger.ranges.get(migration.id, first!.range))!;
    expect(row.state).toBe('planned');
    expect(row.counts.scanned).toBeGreaterThan(0);
    expect(row.counts.scanned).toBeLessThan(KEYS / 4);
    expect(await app.takeMessages()).toMatchObject([first]);
  });
});

describe('a new process of the source', () => {
  it('sends every range back to its start, once, whoever notices it first', async () => {
    const migration = await start();
    const [first] = await app.takeMessages();
    await workOnRange(first!, app);
    const now = await sourceNow('another');
    await Promise.all([
      restartRanges(migration, 'another', now, nothing, app),
      restartRanges(migration, 'another', now, nothing, app),
    ]);
    expect(await app.ledger.migrations.get(migration.id)).toMatchObject({ epoch: 1, walkedRunId: 'another' });
    expect((await app.takeMessages()).map(({ range }) => range).sort()).toEqual(
      [0, 1, 2, 3].map((n) => rangeName('copy', n)),
    );
    expect((await visitMigration(migration.id, app))?.status).toMatchObject({ accountedKeys: 0, percent: 0 });
  });

  it('loses no message to a worker that remembers the epoch before', async () => {
    const migration = await start();
    await workAll();
    await app.watch.get(migration.id);
    const other: TestApp = { ...app };
    await app.ledger.migrations.update(migration.id, (row) => ({ ...row, epoch: 1 }));
    await workOnRange(message(migration, 0), other);
    expect(await app.ledger.ranges.get(migration.id, 'copy-00000')).toMatchObject({ epoch: 1, state: 'done' });
  });

  it('takes no message from a worker of the new walk, whenever one of the walk before writes its last', async () => {
    const migration = await start();
    await app.takeMessages();
    await app.ledger.migrations.update(migration.id, (row) => ({ ...row, epoch: 1 }));
    const { ranges } = app.ledger;
    const known = (await ranges.get(migration.id, 'copy-00000'))!;
    let before = await ranges.replace({ ...known, state: 'active', generation: 1 });
    // Its row is written between the look at it and the claim.
    jest.spyOn(ranges, 'get').mockImplementationOnce(async () => {
      const seen = before;
      before = await ranges.replace({ ...before, heartbeat: app.ledger.time() });
      return seen;
    });
    await workOnRange(message(migration, 0), app);
    expect(await ranges.get(migration.id, 'copy-00000')).toMatchObject({ epoch: 1, state: 'done' });
    await expect(ranges.replace(before)).rejects.toBeInstanceOf(LostRowError);
  });

  it('is noticed by the worker itself', async () => {
    const migration = await start();
    await app.ledger.migrations.update(migration.id, (row) => ({ ...row, walkedRunId: 'one that was' }));
    const [first] = await app.takeMessages();
    await workOnRange(first!, app);
    expect(await app.ledger.migrations.get(migration.id)).toMatchObject({
      epoch: 1,
      walkedRunId: migration.walkedRunId,
    });
    expect(await app.takeMessages()).toHaveLength(4);
  });
});

describe('findings of a walk that has begun anew', () => {
  const finding = (id: string, name: string, code: Finding['code']) => ({
    migration: id,
    database: 0,
    key: Buffer.from(name),
    code,
    message: 'm',
  });

  it('count no more, and hide none of the new one', async () => {
    const migration = await start();
    await app.ledger.findings.add([
      { ...finding(migration.id, 'a', 'missing'), phase: 'copy', epoch: 0 },
      { ...finding(migration.id, 'b', 'missing'), phase: 'copy', epoch: 0 },
    ]);
    await restartRanges(migration, 'another', await sourceNow('another'), nothing, app);
    expect((await getFindings(migration.id, 10, undefined, app))?.findings).toEqual([]);
    expect((await app.ledger.migrations.get(migration.id))!.course.walks).toEqual([{ place: 0, epoch: 1 }]);
    const job = await jobOn(migration.id, 0);
    await tellLast(job, ['a'], 'different-value');
    expect((await app.ledger.ranges.get(migration.id, rangeName('copy', 0)))!.counts.findings).toBe(1);
    expect((await getFindings(migration.id, 10, undefined, app))?.findings).toMatchObject([
      { key: 'a', code: 'different-value' },
    ]);
  });
});

describe('findings of ranges', () => {
  const listed = async (id: string) => {
    const keys: string[] = [];
    let continuation: string | undefined;
    do {
      const page = (await getFindings(id, 1_000, continuation, app))!;
      keys.push(...page.findings.map(({ key, code }) => `${code} ${key}`));
      continuation = page.continuation ?? undefined;
    } while (continuation !== undefined);
    return keys.sort();
  };
  const counted = async (id: string) => (await ranges(id)).reduce((sum, { counts }) => sum + counts.findings, 0);

  it('are counted and listed once where two workers have the range, or one dies before its row is written', async () => {
    const { id } = await start();
    const first = await jobOn(id, 0);
    await first.add({}, wrong(['a'], 'restore-refused'), 0n);
    await first.checkpoint();
    await first.add({}, wrong(['b'], 'restore-refused'), 0n);
    // Its findings are written, and its row is not.
    const replace = jest.spyOn(app.ledger.ranges, 'replace').mockRejectedValueOnce(new Error('away'));
    await expect(first.checkpoint()).rejects.toThrow('away');
    replace.mockRestore();
    const second = await jobOn(id, 0);
    await second.add({}, wrong(['b', 'c'], 'restore-refused'), 0n);
    await second.settle('done');
    await first.add({}, wrong(['c', 'd'], 'restore-refused'), 0n);
    await expect(first.settle('done')).rejects.toBeInstanceOf(StoppedError);
    expect(await counted(id)).toBe(3);
    expect(await listed(id)).toEqual(['restore-refused a', 'restore-refused b', 'restore-refused c']);
  });

  it('inside a page count and are listed once its end is reached', async () => {
    const { id } = await start();
    const first = await jobOn(id, 0);
    await first.add({}, wrong(['a'], 'restore-refused'), undefined);
    await first.addAhead({}, wrong(['b'], 'restore-refused'), [Buffer.from('b')]);
    await first.handOn();
    expect(await counted(id)).toBe(1);
    expect(await listed(id)).toEqual(['restore-refused b']);
    const second = await jobOn(id, 0, first.place);
    await second.add({}, wrong(['a'], 'restore-refused'), 0n);
    await second.settle('done');
    expect(await listed(id)).toEqual(['restore-refused a', 'restore-refused b']);
  });

  it('are kept up to a number, and all counted; a later walk knows them all', async () => {
    const { id } = await start();
    const keys = Array.from({ length: 10_050 }, (_, i) => `key ${i}`);
    const copy = await jobOn(id, 0);
    await copy.add({}, wrong(keys.slice(0, 9_990), 'restore-refused'), 0n);
    await copy.add({}, wrong(keys.slice(9_990), 'restore-refused'), 0n);
    await copy.settle('done');
    expect(await counted(id)).toBe(10_050);
    expect(await listed(id)).toHaveLength(10_000);
    expect(await getReport(id, app)).toMatchObject({ findings: 10_050, findingsKept: 10_000 });
    await startPhase(id, lookDue, app);
    const look = await jobOn(id, 0);
    await tellLast(look, [...keys, 'another'], 'missing');
    expect(await counted(id)).toBe(10_051);
    expect(await getReport(id, app)).toMatchObject({ findings: 10_051, findingsKept: 10_001 });
    // Where the source was another process meanwhile, it gives keys in other ranges.
    const looked = await jobOn(id, 1);
    await app.ledger.migrations.update(id, (row) => ({
      ...row,
      course: { ...row.course, restarts: { ...row.course.restarts, source: 1 } },
    }));
    await tellLast(looked, ['key 10049'], 'missing');
    expect(await counted(id)).toBe(10_052);
    const afterwards = await jobOn(id, 2);
    await tellLast(afterwards, ['key 10048', 'key 1', 'yet another'], 'missing');
    expect(await counted(id)).toBe(10_053);
  });

  it('that a version before has written with a row for each key are neither doubled nor lost', async () => {
    const { id } = await start();
    const own = (key: string, changes: Partial<Finding>): Finding => ({
      ...{ migration: id, database: 0, key: Buffer.from(key), code: 'restore-refused', message: 'm' },
      ...changes,
    });
    // Of this walk: a was counted; b was not, its worker died.
    await app.ledger.findings.add(['a', 'b'].map((key) => own(key, { phase: 'copy', epoch: 0 })));
    const row = (await app.ledger.ranges.get(id, rangeName('copy', 0)))!;
    await app.ledger.ranges.replace({ ...row, counts: { ...row.counts, findings: 1 } });
    const copy = await jobOn(id, 0);
    await copy.add({}, wrong(['b', 'c'], 'too-large'), 0n);
    await copy.settle('done');
    expect(await counted(id)).toBe(3);
    expect(await listed(id)).toEqual(['restore-refused a', 'too-large b', 'too-large c']);
    await startPhase(id, lookDue, app);
    const look = await jobOn(id, 0);
    await tellLast(look, ['a', 'b', 'c', 'd'], 'missing');
    expect(await counted(id)).toBe(4);
    expect(await listed(id)).toEqual(['missing d', 'restore-refused a', 'too-large b', 'too-large c']);
  });
});

describe('a poisoned range', () => {
  it('fails with the cause that its worker wrote, and the next of its chain goes on', async () => {
    const migration = await start({ limits: { parallelRanges: 2 } });
    await app.takeMessages();
    const row = (await app.ledger.ranges.get(migration.id, 'copy-00000'))!;
    await app.ledger.ranges.replace({ ...row, trouble: 'it was so', cause: 'it was so' });
    await failRange(message(migration, 0), app);
    expect(await app.ledger.ranges.get(migration.id, 'copy-00000')).toMatchObject({
      state: 'failed',
      cause: 'it was so',
    });
    expect(await app.takeMessages()).toEqual([message(migration, 2)]);
    await failRange(message(migration, 0), app);
    expect(await app.takeMessages()).toEqual([]);
  });

  it('is left to whoever works on it, whatever holds that one up', async () => {
    const migration = await start();
    await app.takeMessages();
    const row = (await app.ledger.ranges.get(migration.id, 'copy-00000'))!;
    const active = { state: 'active', trouble: 'The target is full.', heartbeat: app.ledger.time() } as const;
    await app.ledger.ranges.replace({ ...row, ...active });
    await failRange(message(migration, 0), app);
    expect(await app.ledger.ranges.get(migration.id, 'copy-00000')).toMatchObject(active);
    expect(await app.takeMessages()).toEqual([]);
  });

  it('is sent again where its workers died while something held them up that passes', async () => {
    const migration = await start();
    await app.takeMessages();
    const row = (await app.ledger.ranges.get(migration.id, 'copy-00000'))!;
    await app.ledger.ranges.replace({ ...row, state: 'active', trouble: 'The target is full.' });
    await failRange(message(migration, 0), app);
    expect(await app.ledger.ranges.get(migration.id, 'copy-00000')).toMatchObject({ state: 'active' });
    expect(await app.takeMessages()).toEqual([message(migration, 0)]);
  });

  it('is sent again where its workers died without a word, but not for ever', async () => {
    const migration = await start();
    await app.takeMessages();
    await failRange(message(migration, 1), app);
    expect(await app.takeMessages()).toEqual([message(migration, 1)]);
    const row = (await app.ledger.ranges.get(migration.id, 'copy-00001'))!;
    await app.ledger.ranges.replace({ ...row, generation: 30 });
    await failRange(message(migration, 1), app);
    expect(await app.ledger.ranges.get(migration.id, 'copy-00001')).toMatchObject({ state: 'failed' });
  });

  it('of a migration that is unknown or has ended is left alone', async () => {
    await failRange({ migration: 'unknown', range: 'copy-00000' }, app);
    const migration = await start();
    await app.takeMessages();
    await app.ledger.migrations.update(migration.id, (row) => ({ ...row, state: 'failed' }));
    await failRange(message(migration, 0), app);
    await workOnRange(message(migration, 0), app);
    expect(await app.ledger.ranges.get(migration.id, 'copy-00000')).toMatchObject({ state: 'planned', generation: 0 });
  });
});

describe('a start', () => {
  it('repeated with its requestId gives the same migration and starts nothing new', async () => {
    const requestId = `request-${Date.now()}`;
    const [first, second] = await Promise.all([start({ requestId }), start({ requestId })]);
    expect(second.id).toBe(first.id);
    expect((await start({ requestId })).id).toBe(first.id);
    expect((await ranges(first.id)).every(({ counts }) => counts.scanned === noCounts.scanned)).toBe(true);
    await expect(start({ requestId, verify: 'none' })).rejects.toMatchObject({ status: 409, code: 'requestIdReused' });
  });

  it('of many at once is given the target one single time', async () => {
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => start()));
    const [refused, started] = [
      results.filter((r) => r.status === 'rejected'),
      results.filter((r) => r.status === 'fulfilled'),
    ];
    expect(started).toHaveLength(1);
    for (const { reason } of refused) expect(reason).toMatchObject({ status: 409, code: 'targetBusy' });
    expect((await app.ledger.migrations.list('open')).map(({ id }) => id)).toEqual([started[0]?.value.id]);
  });

  it('is refused for names without a setting, all at once, and for what cannot be reached, without a secret', async () => {
    const unknown: unknown = await start({ source: 'X', target: 'Y' }).catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(BadRequestError);
    expect((unknown as BadRequestError).mistakes.map(({ path }) => path)).toEqual(['source', 'target']);
    const dead: unknown = await start({ target: 'DEAD' }).catch((error: unknown) => error);
    expect(dead).toMatchObject({ kind: 'connectionRefused', connection: 'DEAD' });
    expect((dead as Error).message).toMatch(/"DEAD": nothing listens/);
    expect((dead as Error).message).not.toMatch(/geheim|127\.0\.0\.1/);
  });

  it('is refused for databases that are not there, on either side, and for one server under two names', async () => {
    await expect(start({ databases: [99] })).rejects.toMatchObject({ code: 'noSuchDatabase' });
    await expect(start({ databases: { '0': 99 } })).rejects.toMatchObject({ code: 'noSuchDatabase' });
    await expect(start({ target: 'SAME' })).rejects.toBeInstanceOf(PlanRefusedError);
  });
});

describe('the watchdog', () => {
  const tallies = (failing: readonly string[] = []) => {
    const started: string[] = [];
    return {
      started,
      ensureTally: (id: string) => {
        started.push(id);
        return failing.includes(id) ? Promise.reject(new Error('no tally')) : Promise.resolve();
      },
    };
  };
  const long = new Date(Date.now() - 3_600_000).toISOString();

  it('completes a start that was cut short after its plan row', async () => {
    const migration = await start();
    await app.takeMessages();
    const id = `${migration.id}-cut`;
    migrations.push(id);
    const { etag: _, ...row } = migration;
    await app.ledger.migrations.create({ ...row, id, state: 'planned', phasesWithRows: [], startedAt: long });
    await app.ledger.migrations.update(migration.id, (now) => ({ ...now, state: 'cancelled', finishedAt: 'now' }));
    const seen = tallies();
    await watchMigrations(app, seen);
    expect(seen.started).toEqual([id]);
    expect(await app.ledger.migrations.get(id)).toMatchObject({ state: 'running' });
    expect((await ranges(id)).length).toBe(4);
    expect((await app.takeMessages()).filter((one) => one.migration === id)).not.toEqual([]);
  });

  it('looks after the others when one cannot be helped', async () => {
    const [first, second] = [await start(), `second-${Date.now()}`];
    migrations.push(second);
    const { etag: _, ...row } = first;
    await app.ledger.migrations.create({ ...row, id: second });
    const seen = tallies([first.id]);
    await expect(watchMigrations(app, seen)).rejects.toThrow('1 migrations could not be looked after');
    expect(seen.started).toContain(second);
  });

  it('sends nothing for what is well', async () => {
    await start();
    await app.takeMessages();
    await watchMigrations(app, tallies());
    expect(await app.takeMessages()).toEqual([]);
  });
});

describe('whoever runs', () => {
  const keepers: Keeper[] = [];
  /** As another process of the app, for which a worker is gone after less than a second. */
  const process = (): TestApp => ({
    ...app,
    visits: new Visits(),
    watch: new MigrationWatch(app.ledger.migrations),
    settings: { ...app.settings, silenceSeconds: 0.8 },
  });
  const keeper = (): Keeper => {
    const made = new Keeper(process());
    keepers.push(made);
    made.wake();
    return made;
  };
  afterEach(async () => {
    await Promise.all(keepers.splice(0).map((each) => each.stop()));
  });
  const started = async (changes: Record<string, unknown> = {}) => {
    const migration = await start(changes);
    const messages = await app.takeMessages();
    return { migration, messages };
  };
  /** Nobody has added up for long. */
  const neglected = (id: string) =>
    app.ledger.migrations.update(id, (row) => ({ ...row, startedAt: new Date(0).toISOString() }));

  it('takes a range from a silent worker, once, leaves one that beats, and sends all when nothing moves', async () => {
    const { migration, messages } = await started();
    const rowOf = async (number: number) => (await app.ledger.ranges.get(migration.id, rangeName('copy', number)))!;
    for (const number of [1, 2]) await app.ledger.ranges.replace({ ...(await rowOf(number)), state: 'active' });
    const dead = await rowOf(2);
    const death = new AbortController();
    const beating = (async () => {
      while (!death.signal.aborted) {
        await app.ledger.ranges.replace(await rowOf(1));
        await sleep(50);
      }
    })();
    const [one] = [keeper(), keeper()];
    await until(async () => (await rowOf(2)).state === 'planned');
    await until(async () => (await app.ledger.ranges.get(migration.id, dead.name))!.generation > dead.generation);
    await expect(app.ledger.ranges.replace(dead)).rejects.toBeInstanceOf(LostRowError);
    let sent: RangeMessage[] = [];
    await until(async () => (sent = await app.takeMessages()).length > 0);
    expect(sent).toEqual([message(migration, 2)]);
    expect((await rowOf(1)).state).toBe('active');
    death.abort();
    await beating;
    const all = new Set<string>();
    await until(async () => {
      for (const { range } of await app.takeMessages()) all.add(range);
      return all.size === messages.length;
    });
    await one.stop();
  });

  it('settles the range of a silent worker where the migration was cancelled', async () => {
    const { migration } = await started();
    const row = (await app.ledger.ranges.get(migration.id, rangeName('copy', 0)))!;
    await app.ledger.ranges.replace({ ...row, state: 'active', heartbeat: new Date().toISOString() });
    await cancelMigration(migration.id, app);
    await neglected(migration.id);
    keeper();
    await until(async () => (await app.ledger.migrations.get(migration.id))?.state === 'cancelled', 20_000);
    expect(await app.takeMessages()).toEqual([]);
  });

  it('adds up, begins phases and gives the verdict where no tally does', async () => {
    const { migration, messages } = await started({ verify: 'quick' });
    for (const one of messages) await workOnRange(one, app);
    await neglected(migration.id);
    const one = keeper();
    await until(async () => {
      for (const each of await app.takeMessages()) await one.during(migration.id, () => workOnRange(each, app));
      return (await app.ledger.migrations.get(migration.id))?.state === 'completed';
    });
    expect(await app.ledger.migrations.get(migration.id)).toMatchObject({ phase: 'look' });
  });

  it('sends the ranges of a phase once, however many visits come while it begins', async () => {
    const { migration, messages } = await started({ verify: 'quick' });
    for (const one of messages) await workOnRange(one, app);
    await Promise.all([
      startPhase(migration.id, lookDue, app),
      ...Array.from({ length: 4 }, () => visitMigration(migration.id, process())),
      startPhase(migration.id, lookDue, process()),
    ]);
    const sent = (await app.takeMessages()).map(({ range }) => range);
    expect(sent.sort()).toEqual([0, 1, 2, 3].map((number) => rangeName('look', number)));
  });

  it('sends them once where the phase is walked again as well', async () => {
    const { migration, messages } = await started({ verify: 'quick' });
    for (const one of messages) await workOnRange(one, app);
    await startPhase(migration.id, lookDue, app);
    await workAll();
    const due: DueStart = { phase: 'look', depth: 'existence', from: { phase: 'look', epoch: 0 } };
    await Promise.all([
      startPhase(migration.id, due, app),
      ...Array.from({ length: 4 }, () => visitMigration(migration.id, process())),
      startPhase(migration.id, due, process()),
    ]);
    const sent = (await app.takeMessages()).map(({ range }) => range);
    expect(await app.ledger.migrations.get(migration.id)).toMatchObject({ phase: 'look', epoch: 1 });
    expect(sent.sort()).toEqual([0, 1, 2, 3].map((number) => rangeName('look', number)));
  });

  it('sends the rest where storage failed while they were sent, also while others are at work', async () => {
    const { migration, messages } = await started({ verify: 'quick' });
    for (const one of messages) await workOnRange(one, app);
    const queue = Object.create(app.queue) as typeof app.queue;
    queue.send = async (all, delay) => {
      await app.queue.send(all.slice(0, 1), delay);
      throw new Error('storage is away');
    };
    await expect(startPhase(migration.id, lookDue, { ...app, queue })).rejects.toThrow('storage is away');
    const sent = new Set((await app.takeMessages()).map(({ range }) => range));
    const [taken = ''] = sent;
    const rowOf = async () => (await app.ledger.ranges.get(migration.id, taken))!;
    await app.ledger.ranges.replace({ ...(await rowOf()), state: 'active', generation: 1 });
    const death = new AbortController();
    const beating = (async () => {
      while (!death.signal.aborted) {
        await app.ledger.ranges.replace({ ...(await rowOf()), heartbeat: app.ledger.time() });
        await sleep(100);
      }
    })();
    const one = keeper();
    await until(async () => {
      await visitMigration(migration.id, process());
      for (const { range } of await app.takeMessages()) sent.add(range);
      return sent.size === messages.length;
    });
    death.abort();
    await beating;
    await one.stop();
    expect((await app.ledger.migrations.get(migration.id))?.phasesWithRows).toContain('look');
  });

  it('goes on where the clock was set back by an hour, and says so', async () => {
    const {
      migration: { id },
      messages,
    } = await started();
    await visitMigration(id, app);
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    await app.ledger.migrations.update(id, (row) => ({ ...row, startedAt: inAnHour }));
    const row = (await app.ledger.ranges.get(id, rangeName('copy', 2)))!;
    await app.ledger.ranges.replace({ ...row, state: 'active', generation: 1, heartbeat: inAnHour });
    await app.ledger.snapshots.put(id, { ...(await app.ledger.snapshots.get(id))!, at: inAnHour });
    keeper();
    const sent = new Set<string>();
    await until(async () => {
      for (const { range } of await app.takeMessages()) sent.add(range);
      return sent.size === messages.length;
    });
    await until(async () => /set back by (3599|360\d) seconds/.test((await getReport(id, app))?.warnings.join() ?? ''));
  });

  it('visits when its last worker has ended', async () => {
    const { migration, messages } = await started();
    const one = keeper();
    await Promise.all(messages.map((each) => one.during(migration.id, () => workOnRange(each, app))));
    expect(await app.ledger.migrations.get(migration.id)).toMatchObject({ state: 'completed' });
  });

  it('reads how far the ranges are, whenever a sum was made last', async () => {
    const { migration, messages } = await started();
    await neglected(migration.id);
    await workOnRange(messages[0]!, app);
    expect(await getReport(migration.id, app)).toMatchObject({
      counts: { scanned: expect.any(Number) as unknown },
      progress: { percent: 25, ranges: { total: 4, done: 1 } },
    });
  });

  it('shares a rate with the lanes that are left', async () => {
    const { migration } = await started({ limits: { keysPerSecond: 4_000 } });
    expect(await lanesLeft(migration, app)).toBe(4);
    const rowOf = async (number: number) => (await app.ledger.ranges.get(migration.id, rangeName('copy', number)))!;
    const job = new RangeJob(await rowOf(3), migration, process(), { lanes: 4 });
    expect(job.governor.mostKeys()).toBe(250);
    for (const number of [0, 1]) await app.ledger.ranges.replace({ ...(await rowOf(number)), state: 'done', share: 1 });
    await visitMigration(migration.id, app);
    expect(await lanesLeft(migration, app)).toBe(2);
    await until(() => job.governor.mostKeys() === 500);
    job.end();
    // Of another walk nothing is known yet.
    expect(await lanesLeft({ ...migration, epoch: 1 }, app)).toBe(4);
  });

  it('gives one verdict, however many visit at once', async () => {
    const { migration, messages } = await started();
    for (const one of messages) await workOnRange(one, app);
    let ends = 0;
    const telemetry: TestApp['telemetry'] = {
      ...app.telemetry,
      progress: ({ ended }) => {
        if (ended) ends++;
      },
    };
    await Promise.all(
      Array.from({ length: 6 }, (_, i) => visitMigration(migration.id, { ...(i < 3 ? app : process()), telemetry })),
    );
    await visitMigration(migration.id, { ...app, telemetry });
    expect(ends).toBe(1);
    expect(await app.ledger.migrations.get(migration.id)).toMatchObject({ state: 'completed' });
  });

  it.each([
    ['its sum', 'snapshots'],
    ['its verdict', 'migrations'],
  ] as const)('is overtaken where another visit begins before it writes %s', async (_, rows) => {
    const { migration, messages } = await started();
    for (const one of messages) await workOnRange(one, app);
    // The first visit has found that all is well, and is held up before it can say so.
    let reached: () => void = () => undefined;
    const there = new Promise<void>((resolve) => (reached = resolve));
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const wait = async () => {
      reached();
      await gate;
    };
    const held = Object.create(app.ledger) as { -readonly [K in keyof TestApp['ledger']]: TestApp['ledger'][K] };
    held.snapshots = Object.assign(Object.create(app.ledger.snapshots) as typeof app.ledger.snapshots, {
      put: async (...sum: Parameters<typeof app.ledger.snapshots.put>) => {
        if (rows === 'snapshots') await wait();
        return app.ledger.snapshots.put(...sum);
      },
    });
    held.migrations = Object.assign(Object.create(app.ledger.migrations) as typeof app.ledger.migrations, {
      update: async (...change: Parameters<typeof app.ledger.migrations.update>) => {
        if (rows === 'migrations') await wait();
        return app.ledger.migrations.update(...change);
      },
    });
    const late = visitMigration(migration.id, { ...process(), ledger: held as TestApp['ledger'] });
    await there;
    await target.client.flushall();
    const patient = { isUnderWay: () => false, end: () => undefined } as unknown as Visits;
    const second = await visitMigration(migration.id, { ...process(), visits: patient });
    expect(second).toMatchObject({ finished: false, due: { phase: 'look' } });
    go();
    expect(await late).toMatchObject({ finished: false, due: null });
    expect(await app.ledger.migrations.get(migration.id)).toMatchObject({ state: 'running', phase: 'copy' });
    expect((await app.ledger.snapshots.get(migration.id))?.targetKeysNow).toBe(0);
    // For whoever sees that one is under way there is nothing to do.
    await startPhase(migration.id, second!.due!, app);
    expect(await app.ledger.migrations.get(migration.id)).toMatchObject({ phase: 'look' });
  });
});

describe('findings', () => {
  it.each(['', 'nonsense', 'e30=', '%'])(
    'are not told for a continuation that was not given: %j',
    async (continuation) => {
      const migration = await start();
      await expect(getFindings(migration.id, 10, continuation, app)).rejects.toBeInstanceOf(BadRequestError);
    },
  );

  it('of another migration are not told for a continuation that was made up', async () => {
    const { id } = await start();
    await app.ledger.findings.add([
      { migration: 'another', database: 0, key: Buffer.from('x'), code: 'missing', message: 'm' },
    ]);
    const place = { nextPartitionKey: 'another', nextRowKey: '0' };
    const page = await getFindings(id, 10, Buffer.from(JSON.stringify(place)).toString('base64'), app);
    expect(page?.findings).toEqual([]);
  });

  it('are paged by what was given, with keys as text where they are', async () => {
    const { id } = await start();
    const keys = [Buffer.from('ä'), Buffer.from([0xff]), Buffer.alloc(0)];
    await app.ledger.findings.add(
      keys.map((key) => ({ migration: id, database: 0, key, code: 'missing', message: 'm' })),
    );
    const seen: string[] = [];
    let continuation: string | undefined;
    do {
      const page = await getFindings(id, 1, continuation, app);
      seen.push(...(page?.findings.map(({ key, encoding }) => `${encoding}:${key}`) ?? []));
      continuation = page?.continuation ?? undefined;
    } while (continuation !== undefined);
    expect(seen.sort()).toEqual(['base64:/w==', 'utf8:', 'utf8:ä']);
    expect(await getFindings('unknown', 10, undefined, app)).toBeUndefined();
  });
});
