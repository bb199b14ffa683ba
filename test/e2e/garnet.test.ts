import type { AppProcess } from '../tools/app-process';
import { findGarnet, startGarnet, type Garnet } from '../tools/garnet';
import { Stage, type Side } from '../tools/stage';

const KEYS = 2_100;
const stage = new Stage();
let garnet: Garnet | undefined;
let app: AppProcess;
let redis: Side;

/** Installing it may take a minute, once. */
beforeAll(async () => {
  const program = await findGarnet();
  if (program === undefined) return;
  garnet = await startGarnet(program);
  redis = await stage.side('redis-8.0');
  app = await stage.app({ ...stage.connections({ REDIS: redis }), REDIS_GARNET: garnet.url });
}, 120_000);
afterAll(async () => {
  await stage.clear();
  await garnet?.close();
});

/** Says so where there is no Garnet here: no .NET SDK, or none to be had. */
function withGarnet(name: string, work: (garnet: Garnet) => Promise<void>): void {
  it(name, async () => {
    if (garnet === undefined) console.warn(`Not tried: ${name}. Neither GARNET_SERVER nor the .NET SDK is here.`);
    else await work(garnet);
  });
}

withGarnet('keys of all its types come out of Garnet, which gives no DUMP of most', async ({ client }) => {
  const pipeline = client.pipeline();
  for (let i = 0; i < KEYS; i += 6) {
    pipeline.set(`string:${i}`, i, 'PX', 10_000_000);
    pipeline.hset(`hash:${i}`, 'a', i, 'b', 2);
    pipeline.rpush(`list:${i}`, 1, i);
    pipeline.sadd(`set:${i}`, 1, i);
    pipeline.zadd(`zset:${i}`, 1, 'a', i, 'b');
    pipeline.set(`plain:${i}`, 'x');
  }
  await pipeline.exec();
  expect(await client.dbsize()).toBe(KEYS);
  const report = await app.run({ source: 'GARNET', target: 'REDIS', verify: 'full' });
  expect(report).toMatchObject({
    state: 'completed',
    source: { keysAtStart: KEYS, keysNow: KEYS },
    counts: { scanned: KEYS, repeats: 0, copied: KEYS, expired: 0, failed: 0 },
    tally: { sourceKeys: KEYS, targetKeys: KEYS, missing: 0 },
  });
  expect(await redis.client.dbsize()).toBe(KEYS);
  expect(await redis.client.hgetall('hash:6')).toEqual({ a: '6', b: '2' });
});

withGarnet('what Garnet has no type for is a finding, ends nothing, and every number is true', async ({ client }) => {
  await client.flushall();
  await redis.client.flushall();
  const pipeline = redis.client.pipeline();
  for (let i = 0; i < 300; i++) pipeline.hset(`hash:${i}`, 'a', i).set(`string:${i}`, i, 'PX', 10_000_000);
  pipeline.xadd('stream:1', '*', 'a', 'b').xadd('stream:2', '*', 'a', 'b');
  await pipeline.exec();
  const { id, state, counts, tally, warnings } = await app.run({ source: 'REDIS', target: 'GARNET' });
  const { findings } = await app.findings(id);
  // Garnet mixes up its replies to transactions now and then: what comes of it is told.
  const there = await client.dbsize();
  expect(state).toBe('completedWithDifferences');
  expect(counts.copied).toBeLessThanOrEqual(600);
  expect(counts.copied + counts.failed).toBe(602);
  expect(tally).toMatchObject({ sourceKeys: 602, accountedKeys: 602, targetKeys: there, missing: 602 - there });
  expect(findings.map(({ key }) => key)).toEqual(expect.arrayContaining(['stream:1', 'stream:2']));
  // What it does not have is no matter of rights.
  expect(warnings.join('\n')).toMatch(/^The target does not know .*XADD/m);
  expect(warnings.join('\n')).not.toMatch(/may not run/);
});
