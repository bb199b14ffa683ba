import type { Redis } from 'ioredis';
import { chooseDatabases } from '../../src/migration/choose-databases';
import { sideNames, type SideName } from '../../src/migration/phases';
import { aclOf, commandsAsked, rights } from '../../src/migration/rights';
import type { CommandName } from '../../src/redis/rights';
import { fill } from '../e2e/support/fill';
import { fillOdd } from '../e2e/support/fill-odd';
import { Version4Session } from '../convert/sessions/support/version4';
import { setEntry } from '../convert/distributed-cache/support/dotnet';
import { run } from '../tools/modes';
import { aRequest, plainSource, plainTarget } from '../tools/rows';
import { compareServers, digest, Stage, type Side } from '../tools/stage';
import type { TestApp } from '../tools/test-app';

const stage = new Stage();
afterAll(() => stage.clear());

/** Strings of 100 KB and more go by ordinary commands. */
const settings = { KEYFERRY_BIG_KEY_MIB: '0.1' };

/** Makes a user with exactly these rights, as far as the server knows the commands. */
async function giveRights(client: Redis, user: string, commands: Iterable<CommandName>, keys = '~*'): Promise<void> {
  await client.call('ACL', 'SETUSER', user, 'reset', 'on', '>password', ...keys.split(' '));
  for (const command of commands) {
    await client.call('ACL', 'SETUSER', user, aclOf(command)).catch((error: unknown) => {
      if (!/Unknown command|unknown command/.test(String(error))) throw error;
    });
  }
}

/** Commands that a server refused to the user. */
async function refused(client: Redis): Promise<string[]> {
  const entries = (await client.call('ACL', 'LOG')) as string[][];
  return entries.map((entry) => `${entry[entry.indexOf('reason') + 1]} ${entry[entry.indexOf('object') + 1]}`);
}

function asked(side: SideName, request: Record<string, unknown>, isSame = false): CommandName[] {
  const parsed = aRequest(request);
  const source = plainSource;
  const target = isSame ? { ...plainTarget, runId: source.runId } : plainTarget;
  const choices = chooseDatabases(parsed, [{ database: 0 }, { database: 3 }], []);
  return commandsAsked(side, { request: parsed, source, target, choices });
}

describe.each(['redis-6.0', 'redis-7.0'] as const)('on %s', (name) => {
  let old: Side;
  let neu: Side;
  let app: TestApp;

  beforeAll(async () => {
    [old, neu] = await Promise.all([stage.side(name), stage.side(name)]);
    const url = ({ server }: Side) => `redis://poor:password@127.0.0.1:${server.port}`;
    app = await stage.testApp({}, { ...settings, REDIS_OLD: url(old), REDIS_NEW: url(neu), REDIS_SAME: url(old) });
    await fillOdd(old);
    await fill(old, 300, { prefix: 'plain:' });
    await fill(old, 20, { database: 3 });
    await old.client.set('big', Buffer.alloc(200_000, 'b'));
    await old.client.rpush('big:list', ...Array.from({ length: 200 }, (_, i) => `${i}`.repeat(600)));
    await old.client.hset('big:hash', Object.fromEntries(Array.from({ length: 200 }, (_, i) => [i, 'x'.repeat(900)])));
  });

  beforeEach(async () => {
    await neu.client.flushall();
    for (const { client } of [old, neu]) await client.call('ACL', 'LOG', 'RESET');
    // Connections of an earlier case have the rights of its user.
    for (const { client } of [old, neu]) await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  });

  /** Users with all that a request asks for, but what is left out. */
  const give = async (request: Record<string, unknown>, without: Partial<Record<SideName, readonly string[]>> = {}) => {
    for (const [side, { client }] of [
      ['source', old],
      ['target', neu],
    ] as const) {
      const commands = asked(side, request).filter((command) => without[side]?.includes(command) !== true);
      await giveRights(client, 'poor', commands);
    }
  };

  /** Gets to its end, and no server has refused anything. */
  const runAsListed = async (request: Record<string, unknown>) => {
    const { report, findings } = await run(app, request);
    expect({ findings, state: report.state, warnings: report.warnings.filter(isOfRights) }).toEqual({
      findings: [],
      state: 'completed',
      warnings: [],
    });
    expect(await refused(old.client)).toEqual([]);
    expect(await refused(neu.client)).toEqual([]);
  };

  it.each([
    ['a copy', {}],
    ['a copy that skips', { onConflict: 'skip' }],
    ['a copy of values compared', { verify: 'full' }],
    ['a copy quickly compared', { verify: 'quick' }],
    ['a dry run', { mode: 'dry-run' }],
    ['a selection by types', { select: { types: ['string', 'hash'] } }],
  ])('%s needs no right but those that are listed', async (_, request) => {
    await give(request);
    await runAsListed(request);
    if ('mode' in request || 'select' in request) return;
    expect((await compareServers(old, neu)).differences).toEqual([]);
  });

  it.each([
    ['a full comparison', { mode: 'compare', verify: 'full' }],
    ['a quick comparison', { mode: 'compare', verify: 'quick' }],
    ['a sync', { mode: 'sync' }],
    ['a sync that deletes', { mode: 'sync', deleteExtra: true }],
  ])('%s needs no right but those that are listed', async (_, request) => {
    await give({});
    await run(app, {});
    for (const { client } of [old, neu]) await client.call('ACL', 'LOG', 'RESET');
    const written = 'mode' in request && request.mode === 'sync';
    if (written) {
      await neu.client.set('extra', 'only here');
      await neu.client.del('plain:1', 'big');
      await neu.client.set('plain:6', 'another');
      await neu.client.expire('plain:7', 1_000);
    }
    await give(request);
    await runAsListed(request);
    const others = 'deleteExtra' in request ? 'no others' : 'others too';
    expect((await compareServers(old, neu, undefined, others)).differences).toEqual([]);
  });

  it('a right that is only better to have is told, and the copy goes on', async () => {
    const without = {
      source: rights.filter((r) => r.side === 'source' && r.without !== undefined).flatMap((r) => r.commands),
      target: rights.filter((r) => r.side === 'target' && r.without !== undefined).flatMap((r) => r.commands),
    };
    const keep = (list: readonly CommandName[], ...kept: readonly CommandName[]) =>
      list.filter((command) => !kept.includes(command));
    const needed = ['TYPE', 'PTTL', 'SCAN'] as const;
    await give({}, { source: keep(without.source, 'DUMP'), target: keep(without.target, 'RESTORE', ...needed) });
    const { report, findings } = await run(app, { select: { exclude: ['big*'] } });
    expect({ findings, state: report.state }).toEqual({ findings: [], state: 'completed' });
    expect(report.warnings).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/user of the source may not run EVAL, EVALSHA: .*slower/),
        expect.stringMatching(/user of the source may not run MEMORY USAGE: /),
        expect.stringMatching(/user of the target may not run .*MULTI.*findings/),
      ]),
    );
  });

  it('a type that may not be read by commands makes findings of its large keys alone', async () => {
    await give({}, { source: ['HSCAN'] });
    const { report, findings } = await run(app, {});
    expect(report.state).toBe('completedWithDifferences');
    expect(findings).toContain('command-refused big:hash');
    expect(findings.filter((finding) => !/^command-refused (big:hash|hash:\w+)$/.test(finding))).toEqual([]);
    expect(report.warnings).toContainEqual(expect.stringMatching(/source may not run HSCAN: hashes/));
  });

  it('what cannot be done without is named at once, all of it, with what gives it', async () => {
    await give({}, { source: ['SCAN', 'TIME'] });
    const refusal = run(app, {}).then(String, (error: unknown) => error as { code: string; message: string });
    expect(await refusal).toMatchObject({
      code: 'rightsMissing',
      message: expect.stringMatching(/user of the source "OLD" may not run SCAN, TIME; .*\+scan \+time/) as string,
    });
  });

  it('a user who may not choose databases is told so, not that there is none', async () => {
    await give({}, { target: ['SELECT'] });
    await expect(run(app, {})).rejects.toMatchObject({ code: 'rightsMissing' });
  });

  it('lengths that one side does not tell are no difference', async () => {
    await give({ verify: 'full' });
    await run(app, {});
    await give({ mode: 'compare' }, { target: ['STRLEN'] });
    await expect(run(app, { mode: 'compare' })).rejects.toMatchObject({
      code: 'rightsMissing',
      message: expect.stringMatching(/target "NEW" may not run STRLEN/) as string,
    });
  });

  describe('a user that may touch some keys only', () => {
    const limit = async (request: Record<string, unknown>, source: string, target: string) => {
      await giveRights(old.client, 'poor', asked('source', request), source);
      await giveRights(neu.client, 'poor', asked('target', request), target);
    };

    beforeAll(async () => {
      await old.client.set('app:1', 'one', 'PX', 3_600_000);
      await old.client.set('app:big', Buffer.alloc(200_000, 'a'));
      await old.client.hset(
        'app:hash',
        Object.fromEntries(Array.from({ length: 200 }, (_, i) => [i, 'x'.repeat(900)])),
      );
      await old.client.sadd('web:set', '1', '2');
    });
    afterAll(() => old.client.del('app:1', 'app:big', 'app:hash', 'web:set'));

    it.each([
      ['a selection', { select: { match: ['app:*'] } }, '~app:*', 'app:'],
      ['a selection by an odd glob', { select: { match: ['[ab]pp?*'] } }, '~?pp*', 'app:'],
      ['a rename', { select: { match: ['app:*'] }, rename: [{ from: '^app:(.*)$', to: 'new:$1' }] }, '~new:*', 'new:'],
    ])('copies %s with large keys, and leaves no others', async (_, changes, keys, prefix) => {
      const request = { databases: [0], verify: 'full', ...changes };
      await limit(request, '~?pp*', keys);
      const { report, findings } = await run(app, request);
      expect({ findings, state: report.state, copied: report.counts.copied }).toEqual({
        findings: [],
        state: 'completed',
        copied: 3,
      });
      expect(report.warnings).not.toContainEqual(expect.stringMatching(/ordinary commands/));
      expect((await neu.client.keys('*')).sort()).toEqual(['1', 'big', 'hash'].map((key) => `${prefix}${key}`));
      expect([...(await refused(old.client)), ...(await refused(neu.client))].filter(isOfCommand)).toEqual([]);
      expect(await compareServers(old, neu, (database, key) => placeOf(database, key, prefix))).toMatchObject({
        keys: 3,
        differences: [],
      });
    });

    it('copies a database that gets a prefix', async () => {
      const request = { databases: { 3: 'app:' } };
      await limit(request, '~*', '~app:*');
      const { report } = await run(app, request);
      expect(report).toMatchObject({ state: 'completed', counts: { copied: 20 } });
    });

    it('compares and brings up to date what it may', async () => {
      const migrate = async (changes: Record<string, unknown>) => {
        const request = { databases: [0], select: { match: ['app:*', 'web:*'] }, ...changes };
        await limit(request, '~app:* ~web:*', '~app:* ~web:*');
        return (await run(app, request)).report.state;
      };
      await neu.client.set('other', 'stays');
      expect(await migrate({})).toBe('completed');
      await neu.client.del('app:1', 'app:hash');
      await neu.client.set('app:extra', '1');
      expect(await migrate({ mode: 'sync', deleteExtra: true, force: true })).toBe('completed');
      expect(await migrate({ mode: 'compare' })).toBe('completed');
      expect((await neu.client.keys('*')).sort()).toEqual(['app:1', 'app:big', 'app:hash', 'other', 'web:set']);
    });

    it.each([
      ['of the target, to all keys', { databases: [0] }, '~*', '~app:*', /target "NEW" .*called like \*; .*~\*/],
      ['of the source, to all keys', { databases: [0] }, '~app:*', '~*', /source "OLD" .*called like \*; /],
      [
        'to one of two patterns',
        { databases: [0], select: { match: ['app:*', 'web:*'] } },
        '~*',
        '~app:*',
        /target "NEW" .*called like web:\*; .*~web:\*/,
      ],
    ])('names the pattern that a user lacks: %s', async (_, request, source, target, words) => {
      await limit(request, source, target);
      await expect(run(app, request)).rejects.toMatchObject({
        code: 'rightsMissing',
        message: expect.stringMatching(words) as string,
      });
      expect(await neu.client.dbsize()).toBe(0);
    });

    it('a source whose keys it may all touch needs no selection', async () => {
      await limit({ databases: [3] }, '~key:*', '~*');
      expect((await run(app, { databases: [3] })).report).toMatchObject({ state: 'completed', counts: { copied: 20 } });
    });
  });

  it.each([
    ['sessions', ['aspnet-session-v5'], false],
    ['sessions in place', ['aspnet-session-v5'], true],
    ['cache entries to strings', [{ converter: 'distributed-cache', to: 'strings', instanceName: 'S:' }], false],
    ['cache strings to entries', [{ converter: 'distributed-cache', to: 'entries', instanceName: 'T:' }], false],
  ])('converting %s needs no right but those that are listed', async (_, convert, inPlace) => {
    const { client } = old;
    await client.select(5);
    await new Version4Session(client, '/Shop_1').set({ a: 'b' }, 600);
    await setEntry(client, 'S:1', 'x', { at: Date.now() + 3_600_000 });
    await client.set('T:1', 'x');
    await client.select(0);
    const request = { convert, databases: [5], ...(inPlace ? { target: 'SAME' } : {}) };
    await giveRights(client, 'poor', asked('source', request, inPlace));
    const user = inPlace ? [...asked('source', request, true), ...asked('target', request, true)] : [];
    if (inPlace) await giveRights(client, 'poor', user);
    else await giveRights(neu.client, 'poor', asked('target', request));
    const { report } = await run(app, request);
    expect(report.warnings.filter(isOfRights)).toEqual([]);
    expect(await refused(client)).toEqual([]);
    expect(await refused(neu.client)).toEqual([]);
    await client.multi().select(5).flushdb().select(0).exec();
  });
});

it('sixty databases are copied into a server with few clients, and others are let in meanwhile', async () => {
  const [old, neu] = await Promise.all([
    stage.side('redis-6.0', { args: ['--databases', '64', '--maxclients', '50'] }),
    stage.side('redis-7.0', { args: ['--databases', '64', '--maxclients', '50'] }),
  ]);
  for (let database = 0; database < 60; database++) await fill(old, 20, { database });
  const app = await stage.testApp({ OLD: old, NEW: neu });
  let most = 0;
  let going = true;
  const outcome = run(
    app,
    { verify: 'full' },
    {
      beside: async () => {
        while (going) {
          for (const side of [old, neu]) {
            const other = await side.connect();
            most = Math.max(most, Number(/connected_clients:(\d+)/.exec(await side.client.info('clients'))?.[1]));
            other.close();
          }
        }
      },
      afterPhase: (phase) => Promise.resolve((going = phase !== 'look')),
    },
  );
  expect((await outcome).report).toMatchObject({ state: 'completed', counts: { copied: 1_200 } });
  expect(most).toBeLessThanOrEqual(40);
  expect(await digest(neu)).toBe(await digest(old));
});

const isOfCommand = (entry: string) => entry.startsWith('command');
/** Where a selected key of database 0 belongs. */
const placeOf = (database: number, key: Buffer, prefix: string) => {
  const name = key.toString('latin1');
  const isSelected = database === 0 && name.startsWith('app:');
  return isSelected ? { database, key: Buffer.from(name.replace('app:', prefix)) } : undefined;
};
const isOfRights = (warning: string) => warning.includes('may not');

it('each right belongs to a side', () => {
  expect(new Set(rights.map(({ side }) => side))).toEqual(new Set(sideNames));
});
