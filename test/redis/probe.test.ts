import { RedisError } from '../../src/redis/errors';
import { Connections } from '../../src/redis/connections';
import { hasDatabase, probeSource, probeTarget, readServerFacts, scriptsSeeAll } from '../../src/redis/probe';
import type { RedisPort } from '../../src/redis/redis-port';
import { startServiceProxy } from '../tools/service-proxy';
import { onEveryServer, startTestServer } from '../tools/test-server';

onEveryServer((at) => {
  beforeEach(async () => {
    await at().client.flushall();
  });

  it('is told who it is, and its databases by name', async () => {
    const { client, name, server } = at();
    await client.set('a', '1');
    await client.multi().select(7).set('b', '1').set('c', '1').select(0).exec();
    const facts = await readServerFacts(await at().connect());
    expect(facts).toMatchObject({
      version: server.version,
      software: name.startsWith('valkey') ? 'valkey' : 'redis',
      cluster: false,
      role: 'master',
      evictionPolicy: 'noeviction',
      maxMemory: 0,
      evictedKeys: 0,
    });
    expect(facts.runId).toMatch(/^[0-9a-f]{40}$/);
    expect(facts.usedMemory).toBeGreaterThan(100_000);
    expect(facts.databases.map(({ database, keys }) => [database, keys])).toEqual([
      [0, 1],
      [7, 2],
    ]);
  });

  it('tells whether its keys were changed, as far as its user may know', async () => {
    const { client } = at();
    const port = await at().connect();
    await client.set('b', '1');
    const before = await readServerFacts(port);
    await client.eval(
      "redis.call('SET', 'a', '1') return redis.call('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')",
      0,
    );
    await client.swapdb(0, 1);
    const after = await readServerFacts(port);
    expect(after.replicationId).toMatch(/^[0-9a-f]{40}$/);
    expect(after).toMatchObject({
      loading: false,
      replicationId: before.replicationId,
      lastSave: expect.any(Number) as unknown,
    });
    expect(after.formerReplicationId).toBeUndefined();
    expect(after.changes! - before.changes!).toBeGreaterThanOrEqual(2);
    const calls = (of: typeof before, name: string) => of.commandCalls![name] ?? 0;
    expect(calls(after, 'set') - calls(before, 'set')).toBe(1);
    expect(calls(after, 'swapdb') - calls(before, 'swapdb')).toBe(1);
    expect(Object.keys(after.commandCalls!).some((name) => /^xgroup(\|create)?$/.test(name))).toBe(true);
    expect(after.commandCalls).not.toHaveProperty('eval');
    expect(JSON.parse(JSON.stringify(after))).toEqual(after);
  });

  it('is found able to be a source read by scripts in ranges', async () => {
    const port = await at().connect();
    const pipeline = at().client.pipeline();
    for (let i = 0; i < 10_000; i++) pipeline.set(`key:${i}`, i);
    await pipeline.exec();
    const abilities = await probeSource(port, port);
    expect(abilities).toMatchObject({ scripts: true, memoryUsage: true, dump: true, cursorOrder: true, functions: 0 });
    expect(abilities.payloadVersion).toBeGreaterThanOrEqual(9);
  });

  it('is found able to be a target, without a key written', async () => {
    const port = await at().connect();
    const facts = await readServerFacts(port);
    expect(await probeTarget(port, facts)).toMatchObject({
      scripts: true,
      restore: true,
      payloadVersions: [[6, expect.any(Number)]],
      absoluteExpiry: true,
    });
    expect(await at().client.dbsize()).toBe(0);
  });

  it('tells its modules with their versions, also where MODULE LIST is not allowed', async () => {
    const builtIn = at().name === 'redis-8.0' ? [{ name: 'vectorset', version: 1 }] : [];
    const port = await at().connect();
    const facts = await readServerFacts(port);
    expect((await probeSource(port, port)).modules).toEqual(builtIn);
    expect((await probeTarget(port, facts)).modules).toEqual(builtIn);
    await at().client.acl('SETUSER', 'modest', 'on', '>pw', '~*', '+@all', '-module');
    await port.call('AUTH', 'modest', 'pw');
    expect((await probeSource(port, port)).modules).toEqual(builtIn);
    await at().client.acl('SETUSER', 'modest', '-info');
    expect((await probeSource(port, port)).modules).toBeUndefined();
  });

  it('without rights to scripts and DUMP is found so', async () => {
    await at().client.acl('SETUSER', 'poor', 'on', '>pw', '~*', '+@all', '-eval', '-evalsha', '-dump', '-restore');
    const port = await at().connect();
    await port.call('AUTH', 'poor', 'pw');
    await at().client.set('a', '1');
    expect(await probeSource(port, port)).toMatchObject({ scripts: false, memoryUsage: true, dump: false });
    expect(await probeTarget(port, await readServerFacts(port))).toMatchObject({
      scripts: false,
      restore: false,
      payloadVersions: [],
    });
  });

  it('has the databases it has, and the connection stays where it was', async () => {
    const port = await at().connect();
    expect(await hasDatabase(port, 15, 0)).toBe(true);
    expect(await hasDatabase(port, 16, 0)).toBe(false);
    await port.call('SET', 'here', '1');
    expect(await at().client.exists('here')).toBe(1);
  });

  it('is not taken for poor while it is only loading', async () => {
    const loading: RedisPort = {
      call: () => Promise.reject(new RedisError('loading', 'OLD')),
      pipeline: (commands) => Promise.resolve(commands.map(() => new RedisError('loading', 'OLD'))),
    };
    await expect(probeSource(loading, loading)).rejects.toMatchObject({ kind: 'loading' });
    await expect(probeTarget(loading, await readServerFacts(await at().connect()))).rejects.toMatchObject({
      kind: 'loading',
    });
  });
});

describe('cursors that are no places in a walk', () => {
  it('are noticed, so that such a database stays one range', async () => {
    let last = 0;
    const proxy: RedisPort = {
      call: () => Promise.resolve(null),
      pipeline: (commands) =>
        Promise.resolve(
          commands.map(([name]) => (name === 'SCAN' ? [Buffer.from(String((last += 1_000))), []] : null)),
        ),
    };
    expect((await probeSource(proxy, proxy)).cursorOrder).toBe(false);
  });
});

describe('an endpoint of several servers whose scripts run on one of them', () => {
  it('is read without scripts, and one whose scripts see all with them', async () => {
    const [all, one] = await Promise.all([startTestServer('redis-7.0'), startTestServer('redis-7.0')]);
    const proxy = await startServiceProxy(all.server.port, { scriptsAt: one.server.port });
    const connections = new Connections({ REDIS_PROXY: proxy.url, REDIS_ALL: all.server.url }, 'keyferry-test');
    const probed = async (name: string) => {
      const port = connections.get(name, 0);
      await port.ready();
      return (await probeSource(port, port)).scripts;
    };
    const fill = async (client: typeof all.client, step: number) =>
      await client.eval("for i = 1, 3000, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, step);
    try {
      await fill(all.client, 1);
      expect(await probed('PROXY')).toBe(false);
      await fill(one.client, 3);
      expect(await probed('PROXY')).toBe(false);
      expect(await probed('ALL')).toBe(true);
      await all.client.flushall();
      expect(await probed('ALL')).toBe(true);
    } finally {
      connections.close();
      await proxy.close();
      await Promise.all([all.close(), one.close()]);
    }
  });

  it('is seen also while keys come and go', async () => {
    const { client, close, server } = await startTestServer('redis-7.0');
    const connections = new Connections({ REDIS_BUSY: server.url }, 'keyferry-test');
    const port = connections.get('BUSY', 0);
    await port.ready();
    let isOver = false as boolean;
    const writing = (async () => {
      for (let i = 0; !isOver; i++)
        await client
          .pipeline()
          .set(`key:${i}`, i)
          .del(`key:${i - 50}`)
          .exec();
    })();
    try {
      for (let i = 0; i < 20; i++) expect(await scriptsSeeAll(port)).toBe(true);
    } finally {
      isOver = true;
      await writing;
      connections.close();
      await close();
    }
  });
});
