import type { AppProcess } from '../tools/app-process';
import { digest, Stage, type Side } from '../tools/stage';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';
import { fillOdd } from './support/fill-odd';
import { serverNames, type ServerName } from '../../local/servers/server-names';

const stage = new Stage();
let app: AppProcess;
let source: Side;
let clusters: Record<ServerName, TestCluster>;
let alone: Record<ServerName, Side>;
let odd: number;

const PLAIN = 20_000;

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
    const deleting = await app.run({ ...request, source: 'OLD', databases: [0], mode: 'sync', deleteExtra: true });
    expect(deleting).toMatchObject({ state: 'completed', counts: { same: keys(), deleted: 3 } });
    expect(await clusters[to].keys()).toBe(keys());
    expect(await app.run({ ...request, mode: 'dry-run' })).toMatchObject({
      state: 'completed',
      counts: { scanned: keys() },
    });
  });
});
