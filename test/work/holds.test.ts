import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../../src/ledger/storage-error';
import { rangeName, type MigrationRow } from '../../src/migration/rows';
import { BeginsAnewError } from '../../src/migration/stop';
import type { RangeJob } from '../../src/range/range-job';
import { startMigration } from '../../src/start/start-migration';
import { attempt } from '../../src/transfer/attempt';
import { workOnRange } from '../../src/work/range-worker';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const stage = new Stage();
let source: TestServer;
let target: TestServer;
let app: TestApp;
let migration: MigrationRow;

/** Three quarters of the silence. */
const HOLD_MS = 1_500;

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  await source.client.mset(Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`key:${i}`, 'x'])));
  app = await stage.testApp(
    { OLD: source, NEW: target },
    { KEYFERRY_SILENCE_SECONDS: '2', KEYFERRY_CHECKPOINT_SECONDS: '0.3' },
  );
});
beforeEach(async () => {
  migration = await startMigration(aRequest(), app);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await app.ledger.migrations.update(migration.id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  await app.takeMessages();
  await target.client.flushall();
});
afterAll(() => stage.clear());

const message = () => ({ migration: migration.id, range: rangeName('copy', 0) });
const row = async () => (await app.ledger.ranges.get(migration.id, rangeName('copy', 0)))!;
const workOf = (work: (job: RangeJob) => Promise<void>) => () => work;

describe('a worker that cannot write its row', () => {
  it('sends nothing more to the target, though it is not frozen and its time is not over', async () => {
    const written: string[] = [];
    const set = (job: RangeJob, key: string) =>
      attempt({ sides: [], stop: job, onTrouble: () => undefined }, async () => {
        await target.client.set(key, 'x');
        written.push(key);
      });
    const working = workOnRange(
      message(),
      app,
      workOf(async (job) => {
        jest.spyOn(app.ledger.ranges, 'replace').mockRejectedValue(new StorageError('away', undefined));
        await set(job, 'at once');
        await sleep(HOLD_MS + 300);
        await set(job, 'too late');
      }),
    );
    await expect(working).rejects.toBeInstanceOf(StorageError);
    expect(written).toEqual(['at once']);
  });

  it('goes on as long as it can write it', async () => {
    let ended = false;
    await workOnRange(
      message(),
      app,
      workOf(async (job) => {
        await sleep(2 * HOLD_MS);
        job.check();
        ended = true;
      }),
    );
    expect(ended).toBe(true);
    expect(await row()).toMatchObject({ state: 'done' });
  });
});

describe('a range that is taken from a worker', () => {
  const beginning = async () => {
    const from = performance.now();
    let begun = 0;
    await workOnRange(
      message(),
      app,
      workOf(() => {
        begun = performance.now() - from;
        return Promise.resolve();
      }),
    );
    return begun;
  };

  it('is not worked on before that one sends nothing any more', async () => {
    await app.ledger.ranges.replace({ ...(await row()), state: 'active', heartbeat: app.ledger.time() });
    expect(await beginning()).toBeGreaterThanOrEqual(HOLD_MS);
  });

  it('is worked on at once where it was handed on, or that one has been silent for long', async () => {
    expect(await beginning()).toBeLessThan(HOLD_MS);
    const heartbeat = new Date(app.ledger.now() - 10_000).toISOString();
    await app.ledger.ranges.replace({ ...(await row()), state: 'active', heartbeat });
    expect(await beginning()).toBeLessThan(HOLD_MS);
  });
});

it('a range that begins anew says until when it waits for its message', async () => {
  await app.takeMessages();
  const anew = workOf(() => Promise.reject(new BeginsAnewError('The slots moved.')));
  await workOnRange(message(), app, anew);
  expect(await row()).toMatchObject({ state: 'planned', begunAnew: 1, restsUntil: null });
  await workOnRange(message(), app, anew);
  const { restsUntil, begunAnew } = await row();
  expect(begunAnew).toBe(2);
  expect(Math.abs(Date.parse(restsUntil!) - app.ledger.now() - 1_000)).toBeLessThan(500);
  await workOnRange(
    message(),
    app,
    workOf(() => Promise.resolve()),
  );
  expect(await row()).toMatchObject({ state: 'done', restsUntil: null });
});

it('a worker that fails says so in the row, and waits for the next delivery', async () => {
  const failing = workOf(() => Promise.reject(new Error('it was so')));
  await expect(workOnRange(message(), app, failing)).rejects.toThrow('it was so');
  expect(await row()).toMatchObject({ state: 'planned', cause: 'it was so', trouble: 'it was so' });
  await workOnRange(
    message(),
    app,
    workOf((job) => {
      expect(job.row).toMatchObject({ state: 'active', cause: null, trouble: null });
      return Promise.resolve();
    }),
  );
  expect(await row()).toMatchObject({ state: 'done', cause: null });
});
