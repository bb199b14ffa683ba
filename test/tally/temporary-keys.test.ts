import type { App } from '../../src/app/app';
import { rangeName, type MigrationRow, type RangeRow } from '../../src/migration/rows';
import { cancelMigration } from '../../src/api/cancel-migration';
import { failRange } from '../../src/tally/settle-ranges';
import { workOnRange } from '../../src/work/range-worker';
import { getReport } from '../../src/api/read-migrations';
import { startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration } from '../../src/tally/tally-visit';
import type { Connections } from '../../src/redis/connections';
import type { RedisConnection } from '../../src/redis/connection';
import type { Command } from '../../src/redis/redis-port';
import { TEMPORARY_KEY_PREFIX } from '../../src/transfer/by-commands';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const SMALL = 20;
const stage = new Stage();
let source: TestServer;
let target: TestServer;
let app: TestApp;

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  app = await stage.testApp(
    { OLD: source, NEW: target },
    {
      KEYFERRY_BIG_KEY_MIB: '0.01',
    },
  );
});
beforeEach(async () => {
  await Promise.all([source.client.flushall(), target.client.flushall()]);
  for (let i = 0; i < SMALL; i++) await source.client.set(`key:${i}`, i);
  for (const key of ['big', 'gone']) {
    await source.client.rpush(key, ...Array.from({ length: 2_000 }, (_, i) => `element ${i} of ${key}`));
  }
});
/** Ends workers that died in a test: they would ask for their migrations until the process ends. */
const buried: (() => void)[] = [];
afterEach(async () => {
  for (const bury of buried.splice(0)) bury();
  for (const { id } of await app.ledger.migrations.list('open')) {
    await app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  }
  await app.takeMessages();
});
afterAll(() => stage.clear());

const leftovers = () => target.client.keys(`${TEMPORARY_KEY_PREFIX}*`);
const start = (changes: Record<string, unknown> = {}) => startMigration(aRequest(changes), app);
const message = ({ id }: MigrationRow) => ({ migration: id, range: rangeName('copy', 0) });
const row = async ({ id }: MigrationRow): Promise<RangeRow> => (await app.ledger.ranges.get(id, rangeName('copy', 0)))!;

/** The app, with something done before each pipeline to the target, and before it is opened. */
function over(before: (commands: readonly Command[]) => Promise<void>): App {
  const get = (name: string, database: number) => {
    const connection = app.connections.get(name, database);
    if (name !== 'NEW') return connection;
    return {
      get runId() {
        return connection.runId;
      },
      ready: async () => {
        await before([]);
        await connection.ready();
      },
      call: (...command: Command) => connection.call(...command),
      pipeline: async (commands: readonly Command[]) => {
        await before(commands);
        return connection.pipeline(commands);
      },
    } as unknown as RedisConnection;
  };
  const connections = Object.create(app.connections, { get: { value: get } }) as Connections;
  return { ...app, connections };
}

/** A worker that takes the range and dies when it has built both big keys, before it gives them their names. */
async function dieMidway(migration: MigrationRow, among = 0): Promise<void> {
  await new Promise<void>((resolve) => {
    let built = 0;
    const dying = over(async (commands) => {
      if (!commands.some(([name]) => name === 'RENAME')) return;
      if (++built === 2) resolve();
      const { promise, reject } = Promise.withResolvers<never>();
      buried.push(() => {
        reject(new Error('dead'));
      });
      await promise;
    });
    workOnRange(message(migration), dying).catch(() => undefined);
  });
  expect(await leftovers()).toHaveLength(2 + among);
}

describe('a worker that dies in the middle of big keys', () => {
  it('has said so before it began, and whoever goes on, then the tally, removes what it left', async () => {
    const migration = await start();
    await dieMidway(migration);
    expect(await row(migration)).toMatchObject({ state: 'active', generation: 1, builders: [1] });
    await source.client.del('gone');
    await workOnRange(message(migration), app);
    expect(await row(migration)).toMatchObject({ state: 'done', generation: 2, builders: [1] });
    // Of the key that came again nothing is left.
    expect((await leftovers()).map((name) => name.slice(name.indexOf('{')))).toEqual(['{gone}']);

    // As many as are to be there, as long as the temporary one is counted.
    await target.client.del('key:1');
    const visit = await visitMigration(migration.id, app);
    expect(visit).toMatchObject({ finished: false, due: { phase: 'look' } });
    expect(await leftovers()).toEqual([]);
    await target.client.set('key:1', 1);
    await startPhase(migration.id, visit!.due!, app);
    for (const one of await app.takeMessages()) await workOnRange(one, app);
    expect(await visitMigration(migration.id, app)).toMatchObject({ finished: true, status: { state: 'completed' } });
    expect(await getReport(migration.id, app)).toMatchObject({ tally: { targetKeys: SMALL + 1 } });
  });

  it('leaves nothing to a migration that is cancelled', async () => {
    const migration = await start();
    await dieMidway(migration);
    await app.ledger.ranges.replace({ ...(await row(migration)), heartbeat: new Date(0).toISOString() });
    await cancelMigration(migration.id, app);
    expect(await visitMigration(migration.id, app)).toMatchObject({ finished: true, status: { state: 'cancelled' } });
    expect(await leftovers()).toEqual([]);
  });

  it('leaves nothing to a migration that fails', async () => {
    const migration = await start();
    await dieMidway(migration);
    await app.ledger.ranges.replace({ ...(await row(migration)), state: 'planned', cause: 'it was so' });
    await failRange(message(migration), app);
    expect(await visitMigration(migration.id, app)).toMatchObject({ finished: true, status: { state: 'failed' } });
    expect(await leftovers()).toEqual([]);
  });

  it('leaves nothing to one that is given up because nothing moves', async () => {
    const migration = await start();
    await dieMidway(migration);
    await visitMigration(migration.id, app);
    await quietFor(migration, app.settings.stallSeconds + 1);
    expect(await visitMigration(migration.id, app)).toMatchObject({ finished: true, status: { state: 'failed' } });
    expect(await leftovers()).toEqual([]);
  });

  it('holds up the end until the target can be looked through, but not for ever', async () => {
    const migration = await start();
    await dieMidway(migration);
    await app.ledger.ranges.replace({ ...(await row(migration)), heartbeat: new Date(0).toISOString() });
    await cancelMigration(migration.id, app);
    const away = over(() => Promise.reject(new Error('away')));
    expect(await visitMigration(migration.id, away)).toMatchObject({ finished: false, status: { state: 'running' } });
    expect((await getReport(migration.id, app))?.warnings.join()).toMatch(/Temporary keys may be left .* tried again/);
    await quietFor(migration, 301);
    expect(await visitMigration(migration.id, away)).toMatchObject({ finished: true, status: { state: 'cancelled' } });
    expect((await getReport(migration.id, app))?.warnings.join()).toMatch(/Temporary keys .* expire by themselves/);
  });
});

async function quietFor({ id }: MigrationRow, quietSeconds: number): Promise<void> {
  await app.ledger.snapshots.put(id, { ...(await app.ledger.snapshots.get(id))!, quietSeconds });
}

it('a worker builds nothing that it could not write down', async () => {
  const migration = await start();
  await target.client.config('RESETSTAT');
  let writes = 0;
  const ranges = Object.create(app.ledger.ranges) as typeof app.ledger.ranges;
  const ledger = Object.create(app.ledger, { ranges: { value: ranges } }) as typeof app.ledger;
  // The claim of the range is written, nothing after it.
  ranges.replace = (...row) =>
    ++writes === 1 ? app.ledger.ranges.replace(...row) : Promise.reject(new Error('storage is away'));
  await expect(workOnRange(message(migration), { ...app, ledger })).rejects.toThrow('storage is away');
  expect(await target.client.info('commandstats')).not.toContain('cmdstat_rpush');
  expect(await leftovers()).toEqual([]);
  await workOnRange(message(migration), app);
  expect(await target.client.llen('big')).toBe(2_000);
});

it('workers that end in order leave nothing to look for', async () => {
  const migration = await start();
  await target.client.config('RESETSTAT');
  await workOnRange(message(migration), app);
  expect(await row(migration)).toMatchObject({ state: 'done', builders: [] });
  await visitMigration(migration.id, app);
  const calls = await target.client.info('commandstats');
  expect(calls).toContain('cmdstat_rename:calls=2');
  expect(calls).not.toContain('cmdstat_scan:');
});

it('only the keys of the migration are removed', async () => {
  const others = [
    `${TEMPORARY_KEY_PREFIX}another:copy-00000:1-0:0123456789abcdef0123456789abcdef:{tag}`,
    `${TEMPORARY_KEY_PREFIX}0123456789abcdef:{tag}`,
    `${TEMPORARY_KEY_PREFIX}of a user`,
  ];
  for (const key of others) await target.client.set(key, 'stays');
  const migration = await start();
  await dieMidway(migration, others.length);
  await workOnRange(message(migration), app);
  await target.client.set(`${TEMPORARY_KEY_PREFIX}${migration.id}:of a user`, 'stays');
  await visitMigration(migration.id, app);
  expect((await leftovers()).sort()).toEqual([...others, `${TEMPORARY_KEY_PREFIX}${migration.id}:of a user`].sort());
});
