import type { Redis } from 'ioredis';
import { copyFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { getReport } from '../../src/api/read-migrations';
import { parseMigrationRequest } from '../../src/migration/request';
import { startMigration } from '../../src/start/start-migration';
import { visitMigration } from '../../src/tally/tally-visit';
import { workOnRange } from '../../src/work/range-worker';
import { run, type Events } from '../tools/modes';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import { startTestServer, type TestServer } from '../tools/test-server';

const KEYS = 1_500;
const stage = new Stage();
let old: TestServer;
let neu: TestServer;
let app: TestApp;

beforeAll(async () => {
  [old, neu] = await Promise.all([
    stage.side('redis-7.0', { rdb: 'dump.rdb' }),
    stage.side('redis-7.0', { rdb: 'dump.rdb' }),
  ]);
  app = await stage.testApp({ OLD: old, NEW: neu });
});
beforeEach(async () => {
  await Promise.all([old, neu].map(({ server }) => forgetData(server)));
  await Promise.all([old.client.flushall(), neu.client.flushall()]);
  await fill(old.client, KEYS);
});
afterAll(() => stage.clear());

const fill = (client: Redis, to: number, from = 1) =>
  client.eval("for i = ARGV[1], ARGV[2] do redis.call('SET', 'key:' .. i, i) end", 0, from, to);

const dumpOf = ({ dataFolder }: TestServer['server']) => path.join(dataFolder, 'dump.rdb');
const forgetData = (server: TestServer['server']) => rm(dumpOf(server), { force: true });

/** Ends a server at once and starts it again without its data. */
async function restartEmpty({ server }: TestServer): Promise<void> {
  await forgetData(server);
  await server.restart();
}

/** Ends a server at once and starts it again with the data that it had when `save` was called. */
async function restartOld({ server }: TestServer): Promise<void> {
  await copyFile(`${dumpOf(server)}.old`, dumpOf(server));
  await server.restart();
}

async function save({ server, client }: TestServer): Promise<void> {
  await client.save();
  await copyFile(dumpOf(server), `${dumpOf(server)}.old`);
}

const afterFirst = (event: () => Promise<unknown>): Events => {
  let done = false;
  return {
    afterPhase: async () => {
      if (done) return;
      done = true;
      await event();
    },
  };
};

describe('a source that loses its data', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['by FLUSHALL', () => old.client.flushall()],
    ['by a restart without its data', () => restartEmpty(old)],
  ])('%s, does not end well, however few its keys are', async (_, lose) => {
    await old.client.flushall();
    await fill(old.client, 300);
    const { report } = await run(app, {}, afterFirst(lose));
    expect(report).toMatchObject({
      state: 'failed',
      cause: expect.stringMatching(/lost data: it had 300 keys and has 0 now/) as string,
    });
    expect(await neu.client.dbsize()).toBe(300);
  });

  it('and keys that clients delete one by one are no loss', async () => {
    const names = Array.from({ length: 1_000 }, (_, i) => `key:${i + 1}`);
    const { report } = await run(
      app,
      {},
      afterFirst(() => old.client.del(...names)),
    );
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS } });
    expect(report.warnings.join()).toMatch(/written to during the migration/);
  });

  it('and comes back with what it had long before, is not copied over the newer data', async () => {
    await old.client.flushall();
    await fill(old.client, 150);
    await save(old);
    await fill(old.client, KEYS);
    await old.client.set('key:1', 'newer');
    const { report } = await run(
      app,
      { limits: { keysPerSecond: 750 } },
      { beside: () => wait(700).then(() => restartOld(old)) },
    );
    expect(report).toMatchObject({
      state: 'failed',
      cause: expect.stringMatching(/lost data: it had 1500 keys and has 150 now/) as string,
    });
    expect(await neu.client.get('key:1')).not.toBe('1');
  });

  const losses: readonly [string, () => Promise<unknown>][] = [
    ['flushed', () => old.client.flushall()],
    ['restarted without its data', () => restartEmpty(old)],
    ['restarted with old data', () => restartOld(old)],
  ];
  const moments = Array.from({ length: 21 }, (_, i): [number, string, () => Promise<unknown>] => {
    const [name = '', lose = () => Promise.resolve()] = losses[i % losses.length] ?? [];
    return [i * 90, name, lose];
  });

  it.each(moments)(
    'at any moment of a sync that deletes (%d ms, %s), has nothing deleted that it had',
    async (ms, _, lose) => {
      await old.client.flushall();
      await fill(old.client, 150);
      await save(old);
      await fill(old.client, KEYS);
      await fill(neu.client, 125);
      await neu.client.mset(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`extra:${i}`, 'x'])));
      const { report } = await run(
        app,
        { mode: 'sync', deleteExtra: true, limits: { keysPerSecond: 2_000 } },
        { beside: () => wait(ms).then(lose) },
      );
      const had = await neu.client.exists(...Array.from({ length: 125 }, (_, i) => `key:${i + 1}`));
      expect(had).toBe(125);
      expect(await neu.client.dbsize()).toBeGreaterThanOrEqual(report.counts.copied + 125 - report.counts.same);
      if (report.state !== 'failed') expect(report.state).toBe('completed');
      // It may have ended before the loss; then the source was whole.
      if (report.state === 'completed') expect(report.counts).toMatchObject({ scanned: KEYS, extra: 50, deleted: 50 });
      else expect(report.cause).toMatch(/source (has lost data|restarted)|database of the source was flushed/i);
    },
  );

  it('has nothing deleted even where the user said that it is smaller', async () => {
    await fill(neu.client, 2 * KEYS);
    const { report } = await run(
      app,
      { mode: 'sync', deleteExtra: true, force: true },
      afterFirst(() => old.client.flushall()),
    );
    expect(report.state).toBe('failed');
    expect(await neu.client.dbsize()).toBe(2 * KEYS);
  });
});

describe('a target that is another one in the end', () => {
  it.each<[string, Record<string, unknown>]>([
    ['a sync', { mode: 'sync' }],
    ['a sync that deletes', { mode: 'sync', deleteExtra: true }],
    ['a copy that is not to be verified', { verify: 'none' }],
    ['a copy whose numbers are to be verified', {}],
    ['a copy that is looked at quickly', { verify: 'quick' }],
  ])('emptied by a restart, is found out by %s', async (_, request) => {
    const { report } = await run(
      app,
      request,
      afterFirst(() => restartEmpty(neu)),
    );
    expect(report).toMatchObject({
      state: 'completedWithDifferences',
      findings: KEYS,
      tally: { missing: KEYS },
    });
    expect(report.warnings.join()).toMatch(/target restarted, failed over/);
  });

  it.each<[string, Record<string, unknown>]>([
    ['a sync', { mode: 'sync' }],
    ['a copy that is not to be verified', { verify: 'none' }],
    ['a copy whose numbers are to be verified', {}],
  ])('with the values of an old snapshot, is found out by %s', async (_, request) => {
    await fill(neu.client, KEYS);
    await neu.client.mset({ 'key:1': 'stale', 'key:2': 'stale' });
    await save(neu);
    const { report, findings } = await run(
      app,
      request,
      afterFirst(() => restartOld(neu)),
    );
    expect(report.state).toBe('completedWithDifferences');
    expect(findings).toEqual(['different-length key:1', 'different-length key:2']);
  });

  it('emptied by FLUSHALL, is found out by a sync', async () => {
    const { report } = await run(
      app,
      { mode: 'sync' },
      afterFirst(() => neu.client.flushall()),
    );
    expect(report).toMatchObject({ state: 'completedWithDifferences', tally: { missing: KEYS } });
  });

  it('is looked at anew when it restarts in the look, and nothing stays that was found before', async () => {
    await fill(neu.client, KEYS);
    await save(neu);
    let looks = 0;
    const { report, findings } = await run(
      app,
      { verify: 'full' },
      {
        afterPhase: async (phase) => {
          if (phase === 'copy') await neu.client.del('key:1');
          if (phase === 'look' && looks++ === 0) await restartOld(neu);
        },
      },
    );
    expect(looks).toBe(2);
    expect(findings).toEqual([]);
    expect(report).toMatchObject({ state: 'completed', findings: 0, tally: { missing: 0 } });
  });

  it('makes a comparison begin anew', async () => {
    await fill(neu.client, KEYS);
    const { report } = await run(
      app,
      { mode: 'compare' },
      afterFirst(() => restartEmpty(neu)),
    );
    expect(report).toMatchObject({ state: 'completedWithDifferences', tally: { missing: KEYS }, counts: { same: 0 } });
  });

  it('that has evicted keys, is found out where nothing was to be verified', async () => {
    await neu.client.config('SET', 'maxmemory-policy', 'allkeys-random');
    const used = Number(/used_memory:(\d+)/.exec(await neu.client.info('memory'))?.[1]);
    await old.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, string.rep('x', 1200)) end", 0, KEYS);
    await neu.client.config('SET', 'maxmemory', used + 1_000_000);
    const { report } = await run(app, { verify: 'none' });
    await neu.client.config('SET', 'maxmemory', 0);
    // More may have been evicted since they were looked for.
    const missing = KEYS - (await neu.client.dbsize());
    expect(report.state).toBe('completedWithDifferences');
    expect(report.findings).toBeGreaterThan(0);
    expect(report.findings).toBeLessThanOrEqual(missing);
    // Those that were evicted while others were looked for are in no number.
    expect(report.tally.missing === null || report.tally.missing === missing).toBe(true);
  });
});

describe('what a server no longer tells', () => {
  it('is not taken for nothing: a target whose counters were set back is looked at', async () => {
    const { report } = await run(
      app,
      { mode: 'sync' },
      afterFirst(async () => {
        await neu.client.flushall();
        await neu.client.config('RESETSTAT');
        await neu.client.flushall();
      }),
    );
    expect(report).toMatchObject({ state: 'completedWithDifferences', tally: { missing: KEYS } });
  });

  it('ends a sync that deletes, where it is the source', async () => {
    await neu.client.mset({ 'extra:1': 'x' });
    const { report } = await run(
      app,
      { mode: 'sync', deleteExtra: true },
      afterFirst(() => old.client.config('RESETSTAT')),
    );
    expect(report).toMatchObject({ state: 'failed', cause: expect.stringMatching(/counters .* set back/) as string });
    expect(await neu.client.exists('extra:1')).toBe(1);
  });
});

describe('databases of the source that are exchanged', () => {
  const databases = { databases: [0], limits: { keysPerSecond: 2_000 } };
  beforeEach(async () => {
    // As many, under the same names, with other values.
    await old.client.select(1);
    await old.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, 'other ' .. i) end", 0, KEYS);
    await old.client.select(0);
    await old.client.set('of the first', 'x');
  });

  it('are walked anew, and that is told', async () => {
    const { report } = await run(app, databases, {
      visits: true,
      beside: () => wait(300).then(() => old.client.call('SWAPDB', 0, 1)),
    });
    expect(report.state).toBe('completed');
    expect(report.warnings.join()).toMatch(/exchanged \(SWAPDB\) during the migration, and walked anew.* deleteExtra/);
    expect(await neu.client.mget('key:1', `key:${KEYS}`)).toEqual(['other 1', `other ${KEYS}`]);
  });

  it('again and again leave a doubt in the end', async () => {
    let swaps = 0;
    const { report } = await run(
      app,
      { databases: [0] },
      {
        afterPhase: async () => {
          if (swaps++ < 5) await old.client.call('SWAPDB', 0, 1);
        },
      },
    );
    expect(report).toMatchObject({ state: 'completedWithDifferences' });
    expect(report.warnings.join()).toMatch(/too often or too late/);
  });
});

it('a source that gets the data of another one in its own process is walked anew', async () => {
  const other = await startTestServer('redis-7.0', { args: ['--repl-diskless-sync-delay', '0'] });
  try {
    await other.client.eval("for i = 1, 1375 do redis.call('SET', 'other:' .. i, i) end", 0);
    const { report } = await run(
      app,
      { verify: 'none', limits: { keysPerSecond: 750 } },
      { beside: () => wait(700).then(() => old.client.replicaof('127.0.0.1', other.server.port)) },
    );
    const names = Array.from({ length: 1_375 }, (_, i) => `other:${i + 1}`);
    expect(report.state).toBe('completed');
    expect(await neu.client.exists(...names)).toBe(1_375);
  } finally {
    await old.client.call('REPLICAOF', 'NO', 'ONE');
    await other.close();
  }
});

it('the first replica of a server changes nothing', async () => {
  await neu.client.mset({ 'extra:1': 'x' });
  const replica = await startTestServer('redis-7.0');
  try {
    const { report } = await run(
      app,
      { mode: 'sync', deleteExtra: true },
      afterFirst(async () => {
        await replica.client.replicaof('127.0.0.1', old.server.port);
        while (!(await replica.client.info('replication')).includes('master_link_status:up')) await wait(50);
      }),
    );
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS, deleted: 1 } });
    expect(report.warnings.join()).not.toMatch(/restarted/);
  } finally {
    await replica.close();
  }
});

it('a key that a client writes to both sides is not deleted as extra', async () => {
  const news = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`extra:${i + 1}`, 'new']));
  await neu.client.mset(news);
  const stats = async () => Number(/cmdstat_exists:calls=(\d+)/.exec(await old.client.info('commandstats'))?.[1] ?? 0);
  const { report } = await run(
    app,
    { mode: 'sync', deleteExtra: true },
    {
      beside: async () => {
        const before = await stats();
        while ((await stats()) === before) await wait(5);
        // It has been seen missing by now.
        await old.client.mset(news);
        await neu.client.mset(news);
      },
    },
  );
  expect(report).toMatchObject({ state: 'completed', counts: { extra: 0, deleted: 0 } });
  expect(await neu.client.exists(...Object.keys(news))).toBe(50);
});

describe('writers who keep the number of keys', () => {
  it('on the source, are found out, and the report says that a sync is due', async () => {
    const { report } = await run(
      app,
      {},
      afterFirst(async () => {
        for (let i = 1; i <= 300; i++) await old.client.rename(`key:${i}`, `renamed:${i}`);
      }),
    );
    expect(report).toMatchObject({ state: 'completedWithDifferences', tally: { missing: 300 } });
    expect(report.warnings.join()).toMatch(/written to during the migration \(\d+ changes\).*Run a sync/);
  });

  it('on the target, are found out', async () => {
    const { report } = await run(
      app,
      {},
      afterFirst(async () => {
        for (let i = 1; i <= 300; i++) await neu.client.rename(`key:${i}`, `renamed:${i}`);
      }),
    );
    expect(report).toMatchObject({ state: 'completedWithDifferences', tally: { missing: 300 } });
  });

  it('and nobody else: then the numbers are enough', async () => {
    let phases = 0;
    const { report } = await run(app, {}, { afterPhase: () => Promise.resolve(phases++) });
    expect(report).toMatchObject({ state: 'completed', tally: { missing: 0 } });
    expect(phases).toBe(1);
    expect(report.warnings).toEqual([]);
  });
});

describe('an endpoint that leads to one of two servers with each connection', () => {
  let split = false;
  let connections = 0;
  let other: TestServer;
  let ways: Record<'OLD' | 'NEW', Proxy>;

  beforeAll(async () => {
    other = await stage.side('redis-7.0');
    const way = (one: TestServer) =>
      startProxy(
        () => (split && connections++ % 2 === 1 ? other : one).server.port,
        (client, server) => {
          client.pipe(server);
          server.pipe(client);
        },
      );
    ways = { OLD: await way(old), NEW: await way(neu) };
  });
  beforeEach(async () => {
    split = false;
    await other.client.flushall();
    await fill(other.client, KEYS);
  });
  afterAll(() => Promise.all(Object.values(ways).map((way) => way.close())));

  it.each(['OLD', 'NEW'] as const)('is found out before anything begins (%s)', async (side) => {
    split = true;
    const behind = await stage.testApp({ OLD: old, NEW: neu }, { [`REDIS_${side}`]: ways[side].url });
    await expect(run(behind, {})).rejects.toMatchObject({
      code: 'severalServers',
      message: expect.stringMatching(`"${side}" leads to 2 different server processes`) as string,
    });
  });

  it.each(['OLD', 'NEW'] as const)('and only later does, ends it after a few epochs (%s)', async (side) => {
    const behind = await stage.testApp({ OLD: old, NEW: neu }, { [`REDIS_${side}`]: ways[side].url });
    const { report } = await run(
      behind,
      { limits: { keysPerSecond: 125 } },
      {
        visits: true,
        beside: async () => {
          await wait(300);
          split = true;
          ways[side].cut();
        },
      },
    );
    expect(report).toMatchObject({
      state: 'failed',
      cause: expect.stringMatching(`"${side}" leads to 2 different server processes in turns`) as string,
    });
    expect((await behind.ledger.migrations.get(report.id))?.epoch).toBeLessThan(20);
  });
});

describe('a side that is of no use for longer than the limit', () => {
  const full = async () => {
    await neu.client.config('SET', 'maxmemory-policy', 'noeviction');
    await neu.client.config('SET', 'maxmemory', 1);
    return () => neu.client.config('SET', 'maxmemory', 0);
  };
  const readOnly = async () => {
    await neu.client.replicaof('127.0.0.1', 1);
    return () => neu.client.call('REPLICAOF', 'NO', 'ONE');
  };
  const away = ({ server }: TestServer) => {
    process.kill(server.pid, 'SIGKILL');
    return Promise.resolve(() => server.restart());
  };
  const hole = () => {
    process.kill(old.server.pid, 'SIGSTOP');
    return Promise.resolve(() => Promise.resolve(process.kill(old.server.pid, 'SIGCONT')));
  };

  it.each<[string, () => Promise<() => Promise<unknown>>, RegExp]>([
    ['a target that is full', full, /"NEW": the server is out of memory/],
    ['a target that is read-only', readOnly, /"NEW": the server is a read-only replica/],
    ['a target that is away', () => away(neu), /"NEW": (nothing listens|the connection was lost)/],
    ['a source that is away', () => away(old), /"OLD": (nothing listens|the connection was lost)/],
    ['a source that is a black hole', hole, /^Nothing moved for 3 seconds with \d ranges? open\./],
  ])('%s, ends it, and the cause says what was met', async (_, befall, cause) => {
    const patient = {
      ...app,
      settings: { ...app.settings, rangeSeconds: 60, checkpointSeconds: 0.1, stallSeconds: 3 },
    };
    const { id } = await startMigration(parseMigrationRequest({ source: 'OLD', target: 'NEW' }), patient);
    const undo = await befall();
    const messages = await patient.takeMessages();
    const works = messages.map((message) => workOnRange(message, patient));
    // Its workers give signs of life all the while.
    try {
      while ((await visitMigration(id, patient))?.status.state === 'running') {
        await wait(100);
        // Of a black hole they hear nothing for long, not even that it is one.
        if (befall === hole && (await patient.ledger.migrations.get(id))?.stopCause !== null) break;
      }
    } finally {
      await undo();
      await Promise.all(works);
    }
    expect(await visitMigration(id, patient)).toMatchObject({ finished: true });
    expect(await getReport(id, patient)).toMatchObject({
      state: 'failed',
      cause: expect.stringMatching(cause) as string,
    });
  });
});

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
