import { startCursor } from '../../src/keyspace/cursor';
import { noCounts } from '../../src/migration/counts';
import { workOnRange } from '../../src/work/range-worker';
import { startMigration } from '../../src/start/start-migration';
import { run, sumOf } from '../tools/modes';
import { startCuttingProxy, type CuttingProxy } from '../tools/cutting-proxy';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const KEYS = 3_000;
const stage = new Stage();
let source: TestServer;
let target: TestServer;
let proxy: CuttingProxy;
let app: TestApp;

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  proxy = await startCuttingProxy(target.server.port, 100_000);
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i, 'PX', 600000) end", 0, KEYS);
  app = await stage.testApp(
    { OLD: source, NEW: target },
    {
      REDIS_CUT: proxy.url,
    },
  );
});
beforeEach(async () => {
  await target.client.flushall();
  await target.client.mset({ 'key:1': 'of the target', 'key:2': 'of the target' });
});
afterAll(async () => {
  await stage.clear();
  await proxy.close();
});

describe('with onConflict "skip", keys that the migration wrote itself are no conflicts', () => {
  it.each<[string, 'active' | 'planned']>([
    ['died before it could write down what it had done', 'active'],
    ['was stopped in the middle of a page and handed the range on', 'planned'],
  ])('when its worker %s', async (_, state) => {
    const { id } = await startMigration(aRequest({ onConflict: 'skip' }), app);
    const messages = await app.takeMessages();
    for (const message of messages) await workOnRange(message, app);
    for (const row of await app.ledger.ranges.list(id)) {
      const cursor = String(startCursor(row));
      const wroteAhead = state === 'planned';
      await app.ledger.ranges.replace({ ...row, state, wroteAhead, cursor, share: 0, counts: noCounts });
    }
    for (const message of messages) await workOnRange(message, app);
    expect(await sumOf(app, id)).toMatchObject({
      counts: { copied: KEYS - 2, skippedByConflict: 2 },
      presumedOwn: KEYS - 2,
    });
    expect(await target.client.get('key:1')).toBe('of the target');
    await app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  });

  it('when it is not known any more how far its worker had got inside a page', async () => {
    const { id } = await startMigration(aRequest({ onConflict: 'skip' }), app);
    const messages = await app.takeMessages();
    for (const message of messages) await workOnRange(message, app);
    for (const row of await app.ledger.ranges.list(id)) {
      expect(row.wroteAhead).toBe(false);
      const cursor = String(startCursor(row));
      await app.ledger.ranges.replace({ ...row, state: 'planned', inside: true, cursor, share: 0 });
    }
    for (const message of messages) await workOnRange(message, app);
    expect(await sumOf(app, id)).toMatchObject({ counts: { copied: KEYS - 2, skippedByConflict: 2 } });
    await app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  });

  it('when the connection was lost before the replies came', async () => {
    const { report } = await run(app, { target: 'CUT', onConflict: 'skip' });
    expect(proxy.hasCut()).toBe(true);
    expect(report.counts).toMatchObject({ copied: KEYS - 2, skippedByConflict: 2 });
    expect(report.state).toBe('completed');
    expect(report.warnings.join()).toMatch(/whether the migration wrote them before, or somebody else, is not known/);
    expect(await target.client.get('key:1')).toBe('of the target');
  });
});

describe('with onConflict "skip", keys that were there before are conflicts', () => {
  it('however often a range is handed on, where its workers could count all that they wrote', async () => {
    await run(app, {});
    await target.client.del('key:3');
    const { id } = await startMigration(aRequest({ onConflict: 'skip', limits: { keysPerSecond: 2_000 } }), app);
    const hasty = { ...app, settings: { ...app.settings, rangeSeconds: 0.3 } };
    let handedOn = 0;
    for (let messages = await app.takeMessages(); messages.length > 0; messages = await app.takeMessages()) {
      for (const message of messages) await workOnRange(message, hasty);
      handedOn += messages.length;
    }
    expect(handedOn).toBeGreaterThan(3);
    expect(await sumOf(app, id)).toMatchObject({ counts: { copied: 1, skippedByConflict: KEYS - 1 }, presumedOwn: 0 });
    await app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  });
});
