import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { compareServers } from '../tools/compare-servers';
import { modulePayload } from '../tools/payloads';
import { makeTestApp, type TestApp } from '../tools/test-app';
import { startTestServer, type TestServer } from '../tools/test-server';
import { startTestStorage, type TestStorage } from '../tools/test-storage';
import { run } from '../tools/modes';

const KEYS = 300;
/** Its DUMP payload is as long as the module's one that takes its place. */
const STAND_IN = 'a value of 20 bytes.';

let storage: TestStorage;
let apps: TestApp[];

beforeAll(async () => {
  [storage, apps] = [await startTestStorage(), []];
});
afterAll(async () => {
  for (const app of apps) app.connections.close();
  await storage.close();
});

async function appOf(oldUrl: string, newUrl: string, settings: Record<string, string> = {}): Promise<TestApp> {
  const env = { ...settings, AzureWebJobsStorage: storage.connectionString, REDIS_OLD: oldUrl, REDIS_NEW: newUrl };
  const app = await makeTestApp(env);
  apps.push(app);
  return app;
}

async function runIdOf({ client }: TestServer): Promise<string | undefined> {
  return /run_id:(\w+)/.exec(await client.info('server'))?.[1];
}

/** Stands before a server and gives a payload out as another one of the same length, so many times. */
async function exchanging(
  port: number,
  from: Buffer,
  to: Buffer,
  times = Infinity,
): Promise<{ server: Server; url: string }> {
  expect(to).toHaveLength(from.length);
  let left = times;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream);
    upstream.on('data', (data: Buffer) => {
      for (let at = data.indexOf(from); at >= 0 && left-- > 0; at = data.indexOf(from, at)) to.copy(data, at);
      client.write(data);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('a value of a module that Redis 6.0 would end at', () => {
  let old: TestServer;
  let neu: TestServer;
  let app: TestApp;
  let before: Server;

  beforeAll(async () => {
    [old, neu] = await Promise.all([startTestServer('redis-6.0'), startTestServer('redis-6.0')]);
    for (let i = 0; i < KEYS; i++) await old.client.set(`key:${i}`, `value ${i}`);
    await old.client.set('json', STAND_IN);
    const stood = await old.client.dumpBuffer('json');
    const { server, url } = await exchanging(old.server.port, stood, modulePayload('ReJSON-RL', 9));
    before = server;
    app = await appOf(url, neu.server.url);
  });
  afterEach(() => neu.client.flushall());
  afterAll(async () => {
    before.close();
    await Promise.all([old.close(), neu.close()]);
  });

  it.each(['copy', 'sync'])('is not sent by a %s: the key is a finding, all others are copied', async (mode) => {
    const runId = await runIdOf(neu);
    const { report, findings, messages } = await run(app, { mode });
    expect(await runIdOf(neu)).toBe(runId);
    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { copied: KEYS, failed: 1 } });
    expect(findings).toContain('module-missing json');
    expect(messages.join()).toMatch(/module's type \("ReJSON-RL"\) and was not sent: the target lacks/);
    const { differences } = await compareServers(old.server, neu.server);
    expect(differences.map(({ text }) => text)).toEqual([expect.stringMatching(/json/)]);
  });

  it('is told by a dry run as a copy would tell it', async () => {
    const { report, findings } = await run(app, { mode: 'dry-run' });
    expect(report).toMatchObject({ counts: { copied: KEYS, failed: 1 } });
    expect(findings).toEqual(['module-missing json']);
  });

  it('does end the server when it is sent (so that the tests above prove something)', async () => {
    const doomed = await startTestServer('redis-6.0');
    try {
      const port = await doomed.connect();
      await expect(port.call('RESTORE', 'json', '0', modulePayload('ReJSON-RL', 9))).rejects.toMatchObject({
        kind: 'connectionLost',
      });
      expect(doomed.server.lastWords()).toMatch(/no matching module.*ReJSON-RL/);
    } finally {
      await doomed.close();
    }
  });
});

describe('vector sets of Redis 8.0, which a module writes', () => {
  let old: TestServer;

  beforeAll(async () => {
    old = await startTestServer('redis-8.0');
    for (let i = 0; i < KEYS; i++) await old.client.set(`key:${i}`, `value ${i}`);
    for (const element of ['a', 'b']) await old.client.call('VADD', 'vectors', 'VALUES', '2', '1', '2', element);
  });
  afterAll(() => old.close());

  it.each(['redis-6.0', 'redis-7.0', 'valkey-8.1'] as const)('are findings on the way to %s', async (name) => {
    const neu = await startTestServer(name);
    try {
      const app = await appOf(old.server.url, neu.server.url);
      const runId = await runIdOf(neu);
      for (const mode of ['dry-run', 'copy', 'sync']) {
        const { report, findings, messages } = await run(app, { mode });
        expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { failed: 1 } });
        expect(report.warnings.join()).toMatch(/lacks modules of the source \(vectorset\)/);
        expect(findings).toContain('module-missing vectors');
        if (mode !== 'dry-run') expect(messages.join()).toMatch(/vectorset/);
      }
      expect(await runIdOf(neu)).toBe(runId);
      expect(await neu.client.dbsize()).toBe(KEYS);
    } finally {
      await neu.close();
    }
  });

  it('are copied as they are to a server with the module', async () => {
    const neu = await startTestServer('redis-8.0');
    try {
      const app = await appOf(old.server.url, neu.server.url);
      expect((await run(app, {})).report).toMatchObject({ state: 'completed', findings: 0, warnings: [] });
      for (const element of ['a', 'b']) {
        const vector = await old.client.call('VEMB', 'vectors', element);
        expect(await neu.client.call('VEMB', 'vectors', element)).toEqual(vector);
      }
    } finally {
      await neu.close();
    }
  });

  it('that are too large for a page are copied whole, as large as the memory allows; larger ones are findings', async () => {
    const [large, neu] = await Promise.all([startTestServer('redis-8.0'), startTestServer('redis-8.0')]);
    try {
      const vector = (at: number) => ['VALUES', '200', ...Array.from({ length: 200 }, (_, i) => String((i * at) % 7))];
      for (const [key, elements] of Object.entries({ large: 100, larger: 4_000 })) {
        const adding = large.client.pipeline();
        for (let at = 1; at <= elements; at++) adding.call('VADD', key, ...vector(at), `element ${at}`);
        await adding.exec();
      }
      await large.client.pexpire('large', 10_000_000);
      const settings = { KEYFERRY_BIG_KEY_MIB: '0.01', KEYFERRY_MEMORY_MIB: '1' };
      const app = await appOf(large.server.url, neu.server.url, settings);
      expect((await run(app, { mode: 'dry-run' })).report).toMatchObject({ counts: { copied: 2, failed: 0 } });
      for (const mode of ['copy', 'sync']) {
        const { report, findings, messages } = await run(app, { mode });
        expect(report).toMatchObject({ counts: { failed: 1 } });
        expect(findings).toContain('too-large larger');
        expect(messages.join()).toMatch(/vectorset .*larger than 1 MiB.*KEYFERRY_MEMORY_MIB/);
      }
      expect(await neu.client.keys('*')).toEqual(['large']);
      expect(await neu.client.call('VEMB', 'large', 'element 9')).toEqual(
        await large.client.call('VEMB', 'large', 'element 9'),
      );
      expect(Math.abs((await neu.client.pttl('large')) - (await large.client.pttl('large')))).toBeLessThan(50);
    } finally {
      await Promise.all([large.close(), neu.close()]);
    }
  });

  it('stay, and all else goes under a version that is known there, where newer payloads seem to be taken', async () => {
    const neu = await startTestServer('valkey-8.1');
    try {
      await neu.client.config('SET', 'rdb-version-check', 'relaxed');
      const app = await appOf(old.server.url, neu.server.url);
      const { report } = await run(app, {});
      expect(report).toMatchObject({ counts: { copied: KEYS, failed: 1 } });
      const [, calls, failed] =
        /cmdstat_restore:calls=(\d+),.*failed_calls=(\d+)/.exec(await neu.client.info('commandstats')) ?? [];
      // Refused were those of the plan alone: rights, and each version, when they were tried.
      expect(Number(calls) - Number(failed)).toBe(KEYS);
      expect(Number(failed)).toBeGreaterThanOrEqual(95);
      expect(Number(failed)).toBeLessThan(105);
    } finally {
      await neu.close();
    }
  });
});

it('a page of which no payload is taken says nothing of those behind it', async () => {
  const KEYS_OF_RANGE = 6_000;
  // More than a first page has.
  const DAMAGED = 150;
  const [old, neu] = await Promise.all([startTestServer('redis-6.0'), startTestServer('redis-6.0')]);
  try {
    await old.client.mset(Object.fromEntries(Array.from({ length: KEYS_OF_RANGE }, (_, i) => [`key:${i}`, STAND_IN])));
    const sound = await old.client.dumpBuffer('key:0');
    const damaged = Buffer.from(sound);
    damaged.fill(0, damaged.length - 8);
    const way = await exchanging(old.server.port, sound, damaged, DAMAGED);
    const app = await appOf(way.url, neu.server.url);
    const { report } = await run(app, {});
    way.server.close();
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS_OF_RANGE } });
    const [, restored] = /cmdstat_restore:calls=(\d+)/.exec(await neu.client.info('commandstats')) ?? [];
    expect(Number(restored)).toBeGreaterThan(KEYS_OF_RANGE / 2);
  } finally {
    await Promise.all([old.close(), neu.close()]);
  }
});
