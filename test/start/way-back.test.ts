import { loadedFacts } from '../../src/app/side-facts';
import type { MigrationRow } from '../../src/migration/rows';
import { markOf } from '../../src/migration/since';
import { askedWayBack } from '../../src/migration/way-back';
import { isHashOf, requestHash } from '../../src/start/request-hash';
import { preparePlan } from '../../src/start/prepare-plan';
import { startMigration } from '../../src/start/start-migration';
import { startWayBack } from '../../src/start/start-way-back';
import { Keeper } from '../../src/tally/keeper';
import { aMigration, aRequest } from '../tools/rows';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const stage = new Stage();
let old: TestServer;
let neu: TestServer;
let proxy: Proxy;
let isAway = false;
let app: TestApp;

beforeAll(async () => {
  [old, neu] = await Promise.all([stage.side('redis-7.0'), stage.side('redis-7.0')]);
  proxy = await startProxy(
    () => (isAway ? 1 : old.server.port),
    (client, server) => {
      client.pipe(server);
      server.pipe(client);
    },
  );
  app = await stage.testApp(
    { NEW: neu },
    { REDIS_OLD: proxy.url, KEYFERRY_SILENCE_SECONDS: '2', KEYFERRY_CHECKPOINT_SECONDS: '0.5' },
  );
});
afterEach(async () => {
  for (const { id } of await app.ledger.migrations.list('open')) await end(id);
});
afterAll(async () => {
  await stage.clear();
  await proxy.close();
});

const containing = (text: string) => expect.stringContaining(text) as string;

let count = 0;

/** A live migration whose cut-over was just completed, with the way back asked for. */
async function proved(request: Record<string, unknown> = {}, finishedAt = new Date().toISOString()): Promise<string> {
  isAway = false;
  await Promise.all([old.client.flushall(), neu.client.flushall()]);
  const plan = await preparePlan(aRequest({ mode: 'live', ...request }), app);
  for (const { client } of [old, neu]) {
    for (let i = 0; i < 100; i++) await client.set(`key:${i}`, 'x');
  }
  const [source, target] = await Promise.all(['OLD', 'NEW'].map(async (name) => markOf(await loadedFacts(name, app))));
  const id = `forward-${++count}`;
  await app.ledger.migrations.create(
    aMigration({
      id,
      plan,
      phase: 'cutover',
      state: 'completed',
      finishedAt,
      wayBack: { ...askedWayBack, proved: { source: source!, target: target!, targetKeys: 100 } },
    }),
  );
  return id;
}

const wayBack = async (id: string) => (await app.ledger.migrations.get(id))?.wayBack;

async function end(id: string): Promise<void> {
  await app.ledger.migrations.update(id, (row): MigrationRow => {
    const back = row.wayBack && { ...row.wayBack, refused: row.wayBack.refused ?? 'ended' };
    return {
      ...row,
      wayBack: back,
      ...(row.finishedAt === null ? { state: 'cancelled', finishedAt: new Date().toISOString() } : {}),
    };
  });
}

describe('the way back', () => {
  it('starts where both sides are what was proved, once', async () => {
    const id = await proved();
    await Promise.all([startWayBack(id, app), startWayBack(id, app)]);
    await startWayBack(id, app);
    const { migration } = (await wayBack(id))!;
    expect(await wayBack(id)).toMatchObject({ refused: null, trouble: null, attempt: null });
    expect(await app.ledger.migrations.get(migration!)).toMatchObject({
      state: 'running',
      plan: { request: { source: 'NEW', target: 'OLD', mode: 'live', deleteExtra: true, databases: 'all' } },
    });
  });

  it('does not start over what was written to the old side since the proof', async () => {
    const id = await proved();
    await old.client.set('late', 'the only copy');
    await startWayBack(id, app);
    expect(await wayBack(id)).toMatchObject({ migration: null, refused: containing('written to since') });
  });

  it.each([
    ['was emptied', 'emptied', () => neu.client.flushall()],
    ['tells its counters anew', 'does not tell', () => neu.client.config('RESETSTAT')],
    [
      'has far fewer keys',
      'over 20 % fewer',
      () => neu.client.del(...Array.from({ length: 30 }, (_, i) => `key:${i}`)),
    ],
    ['has another database', 'Database 3', () => neu.client.multi().select(3).set('in3', 'x').select(0).exec()],
    [
      'evicted keys',
      'evicted',
      async () => {
        await neu.client.config('SET', 'maxmemory-policy', 'allkeys-random');
        await neu.client.config('SET', 'maxmemory', '1');
        await neu.client.set('one', 'more').catch(() => undefined);
        await neu.client.config('SET', 'maxmemory', '0');
        await neu.client.config('SET', 'maxmemory-policy', 'noeviction');
      },
    ],
    ['restarted', 'restarted', () => neu.server.restart()],
  ])('does not start from a new side that %s', async (_, reason, happens) => {
    const id = await proved();
    await happens();
    await startWayBack(id, app);
    expect(await wayBack(id)).toMatchObject({ migration: null, refused: containing(reason) });
    expect(await old.client.dbsize()).toBe(100);
  });

  it.each([{ types: ['string'] }, { match: ['key:*'] }, { exclude: ['other'] }])(
    'is none where only some keys were selected: %j',
    async (select) => {
      const id = await proved({ select });
      await startWayBack(id, app);
      expect(await wayBack(id)).toMatchObject({ refused: containing('Only some keys') });
    },
  );

  it('is tried again while the old side is away, or another migration holds it, and looked after until it starts', async () => {
    const id = await proved();
    isAway = true;
    proxy.cut();
    await startWayBack(id, app);
    expect(await wayBack(id)).toMatchObject({
      migration: null,
      refused: null,
      trouble: containing('OLD'),
    });
    isAway = false;
    const names = [(await loadedFacts('OLD', app)).runId];
    await app.ledger.targets.claim(names, 'another', () => Promise.resolve(false));
    await startWayBack(id, app);
    expect(await wayBack(id)).toMatchObject({
      migration: null,
      refused: null,
      trouble: containing('another'),
    });
    await app.ledger.targets.giveBack(names, 'another');
    expect(await new Keeper(app).look()).toBe(true);
    expect(await wayBack(id)).toMatchObject({ refused: null, trouble: null });
    expect((await wayBack(id))?.migration).not.toBeNull();
  });

  it('is refused where nothing comes of it for long, with what held it up', async () => {
    const id = await proved({}, new Date(Date.now() - 11 * 60_000).toISOString());
    isAway = true;
    proxy.cut();
    await startWayBack(id, app);
    isAway = false;
    expect(await wayBack(id)).toMatchObject({ migration: null, refused: containing('for 10 minutes. ') });
    expect(await new Keeper(app).look()).toBe(false);
  });
});

describe('the hash of a request', () => {
  it('is that of what differs from the defaults, and that of earlier versions is known', async () => {
    const plain = aRequest({ mode: 'live' });
    const whole = aRequest({
      mode: 'live',
      verify: 'count',
      live: {},
      select: { match: [] },
      limits: { shrinkPercent: 20 },
    });
    expect(requestHash(whole)).toBe(requestHash(plain));
    // As a later version with one more default would have it.
    expect(requestHash(aRequest({ mode: 'live', limits: { shrinkPercent: 21 } }))).not.toBe(requestHash(plain));
    expect(requestHash(aRequest({ convert: ['aspnet-session-v5'] }))).not.toBe(requestHash(aRequest()));
    const { createHash } = await import('node:crypto');
    const former = createHash('sha256').update(JSON.stringify(plain)).digest('hex');
    expect(isHashOf(former, plain)).toBe(true);
    expect(isHashOf(former, aRequest())).toBe(false);
    const { id } = await startMigration(aRequest({ requestId: 'once', mode: 'compare' }), app);
    expect((await startMigration(aRequest({ requestId: 'once', mode: 'compare', verify: 'count' }), app)).id).toBe(id);
  });
});
