import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { startCuttingProxy } from '../tools/cutting-proxy';
import { run } from '../tools/modes';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';
import type { TestServer } from '../tools/test-server';

// Servers that end a connection for one value, without a word or with one that gets lost.

const KEYS = 300;
const LIMIT = 1_048_576;
const stage = new Stage();
let limited: TestServer;
let free: TestServer;
let way: Proxy;
/** The server that new connections over the way lead to. */
let behind = 0;
/** What the way to the server does with a connection whose other side has sent something large. */
let onLarge: () => void = () => undefined;
let app: TestApp;

beforeAll(async () => {
  [limited, free] = await Promise.all([stage.side('redis-8.0'), stage.side('redis-8.0')]);
  behind = free.server.port;
  way = await startProxy(
    () => behind,
    (client, server) => {
      server.pipe(client);
      client.on('data', (chunk) => {
        server.write(chunk);
        if (chunk.length > 30_000) onLarge();
      });
    },
  );
  const servers = { LIMITED: limited, FREE: free };
  const plain = async (name: string, { server, client }: TestServer) => {
    await client.call('ACL', 'SETUSER', 'plain', 'on', '>plain', '~*', '+@all', '-@scripting');
    return { [`REDIS_${name}_PLAIN`]: server.url.replace('redis://', 'redis://plain:plain@') };
  };
  const more = { ...(await plain('LIMITED', limited)), ...(await plain('FREE', free)) };
  app = await stage.testApp(servers, { REDIS_WAY: way.url, ...more, KEYFERRY_BIG_KEY_MIB: '16' });
});
beforeEach(async () => {
  await limited.client.config('SET', 'proto-max-bulk-len', '512mb');
  await limited.client.config('SET', 'client-output-buffer-limit', 'normal 0 0 0');
  await Promise.all([limited.client.flushall(), free.client.flushall()]);
});
afterAll(async () => {
  await way.close();
  await stage.clear();
});

type Words = [name: string, key: string, ...args: (string | Buffer)[]];

/** Small keys, two that are larger than the limit and can go in pieces, and two that cannot. */
function* content(): Generator<Words> {
  const part = LIMIT / 8;
  for (let i = 0; i < KEYS; i++) yield ['SET', `key:${i}`, `value ${i}`];
  for (let i = 0; i < 12; i++) yield ['HSET', 'hash', `field ${i}`, randomBytes(part)];
  for (let i = 0; i < 12; i++) yield ['RPUSH', 'list', randomBytes(part)];
  yield ['HSET', 'huge element', 'field', randomBytes(LIMIT + 1)];
  for (let i = 0; i < 400; i++) {
    const vector = Buffer.from(Float32Array.from({ length: 1_024 }, () => Math.random()).buffer);
    yield ['VADD', 'vectors', 'FP32', vector, `element ${i}`, 'NOQUANT'];
  }
}

async function fill({ client }: TestServer): Promise<void> {
  const pipeline = client.pipeline();
  for (const words of content()) pipeline.call(...words);
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
}

const TOO_LARGE = ['too-large huge element', 'too-large vectors'];

async function valuesOf({ client }: TestServer): Promise<unknown> {
  return await client.call('DEBUG', 'DIGEST-VALUE', 'hash', 'list', 'key:0');
}

it('a target that takes nothing of a size: what can goes in pieces, the rest is a finding, all others are copied', async () => {
  await limited.client.config('SET', 'proto-max-bulk-len', String(LIMIT));
  await fill(free);
  const { report, findings, messages } = await run(app, { source: 'FREE', target: 'LIMITED', verify: 'none' });
  expect(findings).toEqual(TOO_LARGE);
  for (const message of messages) expect(message).toMatch(/Connection "LIMITED".*in one piece \(proto-max-bulk-len\)/);
  expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { copied: KEYS + 2, failed: 2 } });
  expect(await valuesOf(limited)).toEqual(await valuesOf(free));
});

it('a source that gives nothing of a size: as well', async () => {
  await fill(limited);
  await limited.client.config('SET', 'client-output-buffer-limit', `normal ${LIMIT} 0 0`);
  const { report, findings, messages } = await run(app, { source: 'LIMITED', target: 'FREE', verify: 'none' });
  expect(findings).toEqual(TOO_LARGE);
  for (const message of messages) expect(message).toMatch(/Connection "LIMITED".*client-output-buffer-limit/);
  expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { copied: KEYS + 2, failed: 2 } });
  expect(await valuesOf(limited)).toEqual(await valuesOf(free));
});

it('a way that breaks again and again is no reason to give a key up', async () => {
  await fill(limited);
  let left = 12;
  onLarge = () => {
    if (left-- > 0) way.cut();
  };
  const { report, findings } = await run(app, { source: 'LIMITED', target: 'WAY', verify: 'none' });
  expect({ findings, left: Math.max(0, left) }).toEqual({ findings: [], left: 0 });
  expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS + 4, failed: 0 } });
});

it('a connection that is lost twice makes no findings of keys that the user may only restore', async () => {
  await limited.client.call('ACL', 'SETUSER', 'restorer', 'on', '>r', '~*', '+@all', '-@hash', '-@list', '-@string');
  const restoring = way.url.replace('redis://', 'redis://restorer:r@');
  const own = await stage.testApp({ FREE: free }, { REDIS_RESTORER: restoring });
  const before = behind;
  behind = limited.server.port;
  try {
    for (let i = 0; i < 20; i++) await free.client.hset(`hash:${i}`, 'field', randomBytes(60_000));
    let left = 2;
    onLarge = () => {
      if (left-- > 0) way.cut();
    };
    const { report, findings } = await run(own, { source: 'FREE', target: 'RESTORER', verify: 'none' });
    expect({ findings, left: Math.max(0, left) }).toEqual({ findings: [], left: 0 });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 20, failed: 0 } });
  } finally {
    behind = before;
    onLarge = () => undefined;
  }
});

it('a large key that went whole, and was written before its connection was lost, is no conflict', async () => {
  const cutting = await startCuttingProxy(limited.server.port, 200_000);
  try {
    const own = await stage.testApp({ FREE: free }, { REDIS_CUT: cutting.url, KEYFERRY_BIG_KEY_MIB: '0.1' });
    // Of a single element DUMP gives the same bytes after a copy.
    const vector = Buffer.from(Float32Array.from({ length: 60_000 }, () => Math.random()).buffer);
    await free.client.call('VADD', 'large', 'FP32', vector, 'element', 'NOQUANT');
    const { report } = await run(own, { source: 'FREE', target: 'CUT', onConflict: 'skip', verify: 'none' });
    expect(cutting.hasCut()).toBe(true);
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 1, skippedByConflict: 0, failed: 0 } });
  } finally {
    await cutting.close();
  }
});

describe('in other modes', () => {
  const sendNoMore = () => limited.client.config('SET', 'client-output-buffer-limit', `normal ${LIMIT} 0 0`);
  const takeNoMore = () => limited.client.config('SET', 'proto-max-bulk-len', String(LIMIT));

  it('a sync copies what it can', async () => {
    await fill(free);
    await fill(limited);
    await takeNoMore();
    const { report, findings } = await run(app, { source: 'FREE', target: 'LIMITED', mode: 'sync', verify: 'none' });
    expect(findings).toEqual(TOO_LARGE);
    expect(report).toMatchObject({
      state: 'completedWithDifferences',
      counts: { same: KEYS, copied: 2, failed: 2 },
    });
    expect(await valuesOf(limited)).toEqual(await valuesOf(free));
  });

  it.each([
    ['source', 'LIMITED_PLAIN', 'FREE_PLAIN'],
    ['target', 'FREE_PLAIN', 'LIMITED_PLAIN'],
  ])('a comparison without scripts compares all but what the %s does not give', async (_, source, target) => {
    await fill(free);
    // By what MEMORY USAGE says of it, from a few elements, most often a small one.
    const small = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`field ${i}`, String(i)]));
    await free.client.hset('mixed', { ...small, huge: randomBytes(LIMIT + 1) });
    const copied = await run(app, { source: 'FREE', target: 'LIMITED', verify: 'none' });
    expect(copied.report).toMatchObject({ state: 'completed' });
    await sendNoMore();
    const { report, findings, messages } = await run(app, { source, target, mode: 'compare', verify: 'full' });
    expect(findings).toEqual(['not-compared huge element', 'not-compared mixed', 'not-compared vectors']);
    for (const message of messages)
      expect(message).toMatch(
        /^(Its value cannot be compared: |Values of type vectorset).*"LIMITED_PLAIN".*output-buffer/,
      );
    expect(report).toMatchObject({
      state: 'completedWithDifferences',
      counts: { same: KEYS + 2, different: 0, uncompared: 3 },
    });
  });

  const entry = (client: TestServer['client'], key: string, data: Buffer) =>
    client.hset(key, 'absexp', '-1', 'sldexp', '-1', 'data', data);
  const CONVERT = [{ converter: 'distributed-cache', to: 'strings' }];

  it.each([
    ['gives', () => limited, sendNoMore, { source: 'LIMITED', target: 'FREE' }],
    ['takes', () => free, takeNoMore, { source: 'FREE', target: 'LIMITED' }],
  ] as const)('what is converted is, but for an entry that a server never %s', async (_, from, limit, names) => {
    const { client } = from();
    await entry(client, 'huge', randomBytes(LIMIT + 1));
    for (let i = 0; i < 40; i++) await entry(client, `entry:${i}`, randomBytes(LIMIT / 16));
    await limit();
    const { report, findings, messages } = await run(app, { ...names, convert: CONVERT, verify: 'none' });
    expect(findings).toEqual(['cache-refused huge']);
    expect(messages).toEqual([expect.stringMatching(/"LIMITED".*(client-output-buffer-limit|proto-max-bulk-len)/)]);
    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { converted: 40, failed: 1 } });
  });
});

describe('of a cluster', () => {
  let limitedOnes: TestCluster;
  let freeOnes: TestCluster;
  let ofClusters: TestApp;

  beforeAll(async () => {
    const start = () => startTestCluster('redis-8.0', { masters: 2 });
    [limitedOnes, freeOnes] = await Promise.all([start(), start()]);
    ofClusters = await stage.testApp(
      { LIMITED: limited, FREE: free },
      { REDIS_LIMITED_ONES: limitedOnes.server.url, REDIS_FREE_ONES: freeOnes.server.url, KEYFERRY_BIG_KEY_MIB: '16' },
    );
  });
  afterAll(async () => {
    await Promise.all([limitedOnes.close(), freeOnes.close()]);
  });

  const clientsOf = (name: string): readonly Redis[] =>
    ({
      LIMITED: [limited.client],
      FREE: [free.client],
      LIMITED_ONES: limitedOnes.clients,
      FREE_ONES: freeOnes.clients,
    })[name] ?? [];
  const onOwner = async (name: string, ...words: string[] | Words): Promise<unknown> => {
    for (const client of clientsOf(name)) {
      const reply = await client.call(...(words as Words)).catch((error: unknown) => error);
      if (!(reply instanceof Error)) return reply;
      if (!reply.message.startsWith('MOVED')) throw reply;
    }
    throw new Error(`${words[1]} is nowhere.`);
  };
  const onAll = (name: string, ...words: string[]) =>
    Promise.all(clientsOf(name).map((client) => client.call(...(words as Words))));
  /** Of keys that a node does not have the digest is 0. */
  const valuesOn = async (name: string) =>
    (await onAll(name, 'DEBUG', 'DIGEST-VALUE', 'hash', 'list', 'key:0'))
      .map((digests) => (digests as string[]).map((digest) => BigInt(`0x${digest}`)))
      .reduce((sum, digests) => sum.map((digest, i) => digest ^ (digests[i] ?? 0n)));
  it.each([
    ['copy', 'takes', 'FREE_ONES', 'LIMITED_ONES'],
    ['sync', 'takes', 'FREE', 'LIMITED_ONES'],
    ['copy', 'takes', 'FREE_ONES', 'LIMITED'],
    ['sync', 'gives', 'LIMITED_ONES', 'FREE_ONES'],
    ['copy', 'gives', 'LIMITED', 'FREE_ONES'],
  ])(
    'a %s makes a finding of a value that one never %s, and brings all others: %s to %s',
    async (mode, what, source, target) => {
      const [setting, value] =
        what === 'takes'
          ? ['proto-max-bulk-len', String(LIMIT)]
          : ['client-output-buffer-limit', `normal ${LIMIT} 0 0`];
      const limitedName = what === 'takes' ? target : source;
      await Promise.all([limitedOnes.flush(), freeOnes.flush()]);
      await Promise.all(Array.from(content(), (words) => onOwner(source, ...words)));
      await onAll(limitedName, 'CONFIG', 'SET', setting, value);
      try {
        const { report, findings, messages } = await run(ofClusters, { source, target, mode, verify: 'none' });
        expect(findings).toEqual(TOO_LARGE);
        for (const message of messages) expect(message).toContain(setting);
        expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { copied: KEYS + 2, failed: 2 } });
      } finally {
        await onAll(limitedName, 'CONFIG', 'SET', 'proto-max-bulk-len', '512mb');
        await onAll(limitedName, 'CONFIG', 'SET', 'client-output-buffer-limit', 'normal 0 0 0');
      }
      expect(await valuesOn(target)).toEqual(await valuesOn(source));
    },
  );
});

it('a name that leads to another master while connections to the old one stay', async () => {
  const promoted = await stage.side('redis-8.0', { args: ['--replicaof', '127.0.0.1', String(free.server.port)] });
  const isUp = async () => (await promoted.client.info('replication')).includes('master_link_status:up');
  while (!(await isUp())) await sleep(20);
  await limited.client.mset(Object.fromEntries(Array.from({ length: KEYS }, (_, i) => [`key:${i}`, `value ${i}`])));
  const failOver = async () => {
    while ((await free.client.dbsize()) === 0) await sleep(10);
    await promoted.client.replicaof('NO', 'ONE');
    await free.client.replicaof('127.0.0.1', promoted.server.port);
    behind = promoted.server.port;
  };
  const limits = { keysPerSecond: 150 };
  const { report } = await run(app, { source: 'LIMITED', target: 'WAY', verify: 'none', limits }, { beside: failOver });
  expect(report.counts).toMatchObject({ copied: KEYS, failed: 0 });
  expect(await promoted.client.dbsize()).toBe(KEYS);
});
