import { createHash } from 'node:crypto';
import { fillOdd } from '../e2e/support/fill-odd';
import { startProxy } from '../../local/servers/proxy';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';
import { run } from '../tools/modes';

const stage = new Stage();
let old: TestServer;
let neu: TestServer;
let app: TestApp;

beforeAll(async () => {
  [old, neu] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  app = await stage.testApp({ OLD: old, NEW: neu });
});
afterEach(() => Promise.all([old.client.flushall(), neu.client.flushall()]));
afterAll(() => stage.clear());

it.each(['quick', 'full'])('finds nothing between a server and its copy: %s', async (verify) => {
  const keys = await fillOdd(old);
  expect((await run(app, {})).report.state).toBe('completed');
  const { report, findings, messages } = await run(app, { mode: 'compare', verify });
  expect([findings, messages]).toEqual([[], []]);
  expect(report).toMatchObject({ state: 'completed', counts: { scanned: keys, same: keys, different: 0, extra: 0 } });
});

it('finds what is missing, different and extra', async () => {
  for (const { client } of [old, neu]) {
    await client.mset({ same: 'x', value: 'x', length: 'x', type: 'x' });
    await client.set('expiry', 'x', 'PXAT' as never, 4_102_444_800_000 as never).catch(() => client.set('expiry', 'x'));
    await client.pexpireat('expiry', 4_102_444_800_000);
  }
  await old.client.set('missing', 'x');
  await neu.client.set('extra', 'x');
  await neu.client.set('value', 'y');
  await neu.client.set('length', 'xx');
  await neu.client.del('type');
  await neu.client.rpush('type', 'x');
  await neu.client.persist('expiry');
  const { report, findings } = await run(app, { mode: 'compare' });
  expect(findings).toEqual([
    'different-expiry expiry',
    'different-length length',
    'different-type type',
    'different-value value',
    'extra extra',
    'missing missing',
  ]);
  expect(report).toMatchObject({
    state: 'completedWithDifferences',
    findings: 6,
    counts: { same: 1, different: 4, extra: 1 },
    tally: { missing: 1 },
  });
});

it.each(['quick', 'full'])(
  'finds each difference among keys of which the target lacks nearly all: %s',
  async (verify) => {
    const keys = 12_000;
    const [here, there] = [old, neu].map(({ client }) => client.pipeline());
    for (let i = 0; i < keys; i++) {
      here!.set(`key ${i}`, `value ${i}`);
      if (i % 40 === 0) there!.set(`key ${i}`, `value ${i}`);
      if (i % 40 === 1) there!.set(`key ${i}`, 'another value for it');
    }
    await Promise.all([here!.exec(), there!.exec()]);
    const { report } = await run(app, { mode: 'compare', verify });
    expect(report).toMatchObject({
      state: 'completedWithDifferences',
      findings: keys - keys / 40,
      counts: { scanned: keys, same: keys / 40, different: keys / 40, extra: 0, expired: 0 },
      tally: { missing: keys - keys / 20 },
    });
  },
);

it('tells long texts apart, from their own fingerprints too', async () => {
  const long = 'long'.repeat(2_000);
  const hash = createHash('sha1').update(long).digest('hex');
  for (const { client } of [old, neu]) await client.mset({ same: long, last: `${long}x`, print: long, raw: hash });
  await neu.client.setrange('last', long.length, 'y');
  await neu.client.mset({ print: hash, raw: long });
  const { report, findings } = await run(app, { mode: 'compare' });
  expect(findings).toEqual(['different-length print', 'different-length raw', 'different-value last']);
  expect(report.counts).toMatchObject({ same: 1, different: 3 });
});

it('a way that is slow in one direction moves no expiry, makes no difference, and is told', async () => {
  const way = await startProxy(neu.server.port, (client, server) => {
    client.on('data', (bytes) => setTimeout(() => server.write(bytes), 150));
    server.pipe(client);
  });
  try {
    const far = await stage.testApp({ OLD: old }, { REDIS_NEW: way.url });
    const until = Date.now() + 3_600_000;
    await old.client.set('expiring', 'x');
    await old.client.pexpireat('expiring', until);
    const { report } = await run(far, { verify: 'quick' });
    expect(report).toMatchObject({ state: 'completed', findings: 0 });
    expect(report.warnings.join()).toMatch(/Expiries may be off by up to 1[5-9]\d ms: the way to a server is slow/);
    expect(Math.abs(Number(await neu.client.call('PEXPIRETIME', 'expiring')) - until)).toBeLessThan(10);
  } finally {
    await way.close();
  }
});
