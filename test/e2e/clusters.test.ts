import type { AppProcess } from '../tools/app-process';
import { digest, Stage, type Side } from '../tools/stage';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';
import { Version4Session } from '../convert/sessions/support/version4';
import { readVersion5 } from '../convert/sessions/support/version5';
import { fillOdd } from './support/fill-odd';
import { serverNames, type ServerName } from '../../local/servers/server-names';

const stage = new Stage();
let app: AppProcess;
let source: Side;
let clusters: Record<ServerName, TestCluster>;
let alone: Record<ServerName, Side>;
let odd: number;

const PLAIN = 9_000;

beforeAll(async () => {
  source = await stage.side('redis-6.0');
  const started = await Promise.all(serverNames.map((name) => startTestCluster(name)));
  clusters = Object.fromEntries(serverNames.map((name, i) => [name, started[i]])) as typeof clusters;
  const others = await Promise.all(serverNames.map((name) => stage.side(name)));
  alone = Object.fromEntries(serverNames.map((name, i) => [name, others[i]])) as typeof alone;
  odd = await fillOdd(source);
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, PLAIN);
  const settings: Record<string, string> = stage.connections({ OLD: source });
  for (const name of serverNames) {
    settings[`REDIS_${nameOf(name)}`] = clusters[name].server.url;
    settings[`REDIS_ALONE${nameOf(name)}`] = alone[name].server.url;
  }
  app = await stage.app(settings);
});

afterAll(async () => {
  await stage.clear();
  await Promise.all(Object.values(clusters).map((cluster) => cluster.close()));
});

const nameOf = (server: string) => server.replace(/\W/g, '').toUpperCase();

describe.each(serverNames)('a cluster of %s', (name) => {
  it('takes a whole server, whose keys all come to their nodes', async () => {
    const report = await app.run({ source: 'OLD', target: nameOf(name), databases: [0], verify: 'full' });
    const keys = await source.client.dbsize();
    expect(keys).toBe(PLAIN + odd);
    expect(report).toMatchObject({ state: 'completed', counts: { copied: keys, failed: 0 }, tally: { missing: 0 } });
    expect(await clusters[name].keys()).toBe(keys);
    expect(await clusters[name].clients[0]!.keys('*keyferry*')).toEqual([]);
  });

  it('is copied whole to a server, no key twice', async () => {
    const report = await app.run({ source: nameOf(name), target: `ALONE${nameOf(name)}`, verify: 'full' });
    const keys = PLAIN + odd;
    expect(report).toMatchObject({
      state: 'completed',
      source: { keysAtStart: keys },
      counts: { scanned: keys, repeats: 0, copied: keys, failed: 0 },
      tally: { missing: 0 },
    });
    expect(await digest(alone[name])).toBe(await clusters[name].digest());
    // Ranges go over the borders of masters, and each knows its own all the same.
    const { source: masters = [], target } = report.shards ?? {};
    expect(masters.map(({ walked: _, ...more }) => more)).toEqual(
      masters.map(({ walked }, i) => ({
        node: new URL(clusters[name].nodes[i]!.url).host,
        slots: i === 2 ? 5_462 : 5_461,
        keys: walked,
        percent: 100,
        trouble: null,
      })),
    );
    expect(masters).toHaveLength(3);
    expect(masters.reduce((sum, { walked }) => sum + (walked ?? 0), 0)).toBe(keys);
    expect(target).toBeUndefined();
  });
});

it('has the same contents afterwards', async () => {
  expect(await clusters['redis-6.0'].digest()).toBe(await digest(source));
});

describe('two clusters', () => {
  const [from, to] = ['redis-6.0', 'redis-8.0'] as const;
  const request = { source: nameOf(from), target: nameOf(to) };
  const keys = () => PLAIN + odd;

  it('compared by value are the same, and each difference is found', async () => {
    expect(await app.run({ ...request, mode: 'compare', verify: 'full' })).toMatchObject({
      state: 'completed',
      counts: { same: keys(), different: 0, extra: 0 },
      tally: { missing: 0 },
    });
    for (const client of clusters[to].clients) {
      const [gone = '', changed = ''] = await client.keys('key:*');
      await client.del(gone);
      await client.set(changed, 'other');
      await client.set(`{${changed}}:extra`, 'x');
    }
    expect(await app.run({ ...request, mode: 'compare', verify: 'full' })).toMatchObject({
      state: 'completedWithDifferences',
      counts: { same: keys() - 6, different: 3, extra: 3 },
      tally: { missing: 3 },
    });
  });

  it('are brought in step again by a sync, which deletes nothing by what a cluster says', async () => {
    expect(await app.run({ ...request, mode: 'sync' })).toMatchObject({
      state: 'completed',
      counts: { same: keys() - 6, copied: 6, failed: 0 },
    });
    expect(await app.refused({ ...request, mode: 'sync', deleteExtra: true })).toMatchObject({
      status: 400,
      body: { error: { code: 'clusterNotSupported' } },
    });
    const compared = await app.run({ ...request, source: 'OLD', databases: [0], mode: 'compare', verify: 'full' });
    const { findings } = await app.findings(compared.id);
    expect(findings.map(({ key, code }) => `${code} ${key}`).sort()).toEqual(
      [1, 2, 3].map(() => expect.stringMatching(/^extra \{key:\d+\}:extra$/) as string),
    );
    const deleting = await app.run({ ...request, source: 'OLD', databases: [0], mode: 'sync', deleteExtra: true });
    expect(deleting).toMatchObject({ state: 'completed', counts: { same: keys(), deleted: 3 } });
    expect(await clusters[to].keys()).toBe(keys());
    expect(await app.run({ ...request, mode: 'dry-run' })).toMatchObject({
      state: 'completed',
      counts: { scanned: keys() },
    });
  });
});

describe('keys that change on their way', () => {
  const SESSIONS = 40;

  it('sessions are converted into a cluster, out of one, and within one', async () => {
    const [from, into, other] = ['redis-7.0', 'valkey-8.1', 'redis-8.0'] as const;
    for (const name of [from, into, other]) await clusters[name].flush();
    await source.client.select(3);
    for (let i = 0; i < SESSIONS; i++) {
      await new Version4Session(source.client, `/Shop_${i}`).set({ a: String(i) }, 600);
    }
    await source.client.select(0);
    const sessions = { convert: ['aspnet-session-v5'], verify: 'full' };
    const done = { state: 'completed', counts: { converted: 2 * SESSIONS, failed: 0 } };
    const facts = { conversions: [{ name: 'aspnet-session-v5', facts: { sessions: SESSIONS } }] };

    await app.run({ source: 'OLD', target: nameOf(from), databases: { 3: 0 } });
    expect(await clusters[from].keys()).toBe(2 * SESSIONS);
    expect(await app.run({ source: nameOf(from), target: nameOf(into), ...sessions })).toMatchObject({
      ...done,
      ...facts,
    });
    expect(await app.run({ source: 'OLD', target: nameOf(other), databases: { 3: 0 }, ...sessions })).toMatchObject(
      done,
    );
    await alone['redis-6.0'].client.flushall();
    expect(await app.run({ source: nameOf(from), target: 'ALONEREDIS60', ...sessions })).toMatchObject({
      ...done,
      ...facts,
    });
    expect(await readVersion5(alone['redis-6.0'].client, '/Shop_7')).toMatchObject({
      items: { a: '7' },
      timeout: '600',
    });
    expect(await clusters[into].digest()).toBe(await clusters[other].digest());

    const inPlace = await app.run({ source: nameOf(from), target: nameOf(from), convert: ['aspnet-session-v5'] });
    expect(inPlace).toMatchObject({ state: 'completed', counts: { converted: 2 * SESSIONS } });
  });

  it('several databases come into the one of a cluster, each under its prefix', async () => {
    const target = clusters['redis-7.0'];
    await target.flush();
    await alone['redis-8.0'].client.flushall();
    const { client } = alone['redis-8.0'];
    for (const database of [0, 2, 5]) {
      await client.select(database);
      await client.eval("for i = 1, 300 do redis.call('SET', 'key:' .. i, ARGV[1]) end", 0, database);
    }
    await client.select(0);
    const report = await app.run({
      source: 'ALONEREDIS80',
      target: nameOf('redis-7.0'),
      databases: { 0: 'zero:', 2: 'two:', 5: '{five}:' },
      verify: 'full',
    });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 900 }, tally: { missing: 0 } });
    expect(report.warnings.join()).toMatch(/"\{five\}:" has a hash tag: all keys of database 5/);
    expect(await target.keys()).toBe(900);
    const names = (await Promise.all(target.clients.map((each) => each.keys('two:*')))).flat();
    expect(names).toHaveLength(300);
    expect(await app.refused({ source: 'ALONEREDIS80', target: nameOf('redis-7.0'), databases: [0, 2] })).toMatchObject(
      {
        status: 400,
        body: { error: { code: 'noSuchDatabase' } },
      },
    );
  });
});
