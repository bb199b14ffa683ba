import { chooseDatabases, withConnectionDatabases } from '../../src/migration/choose-databases';
import { decidePlan } from '../../src/migration/decide-plan';
import type { Plan } from '../../src/migration/plan';
import type { TriedFacts } from '../../src/migration/plan-facts';
import { PlanRefusedError, throwRefusals } from '../../src/migration/plan-refusals';
import { aRequest, plainSource, plainTarget } from '../tools/rows';

interface Changes {
  readonly request?: Record<string, unknown>;
  readonly source?: Partial<Omit<Plan['source'], 'abilities'>>;
  readonly target?: Partial<Omit<Plan['target'], 'abilities'>>;
  readonly sourceAbilities?: Partial<Plan['source']['abilities']>;
  readonly targetAbilities?: Partial<Plan['target']['abilities']>;
  readonly missing?: Partial<TriedFacts['missing']>;
  readonly refused?: Partial<TriedFacts['refused']>;
  readonly unknown?: TriedFacts['unknown'];
  readonly keysRefused?: Partial<TriedFacts['keysRefused']>;
  readonly scriptsRefused?: TriedFacts['scriptsRefused'];
  readonly sourceServers?: TriedFacts['sourceServers'];
}

function aFile(noted: number): NonNullable<Plan['source']['file']> {
  const databases = [{ database: 0, keys: 7_000_000, bits: 0, ranges: [[]], noted }];
  const nothing = { functions: 0, ofModules: 0, expiring: 0, large: [] };
  return { software: 'redis', version: 9, bytes: 1_000, etag: '', ...nothing, databases };
}

const live = { mode: 'live', deleteExtra: true };
const followable: Changes = {
  source: { cluster: true, runId: 'a+b', changes: 1, commandCalls: {} },
};
const aMaster = (keys: number, usedMemory = 0) => ({
  databases: [{ database: 0, keys, expires: 0 }],
  maxMemory: 1e9,
  usedMemory,
  evictionPolicy: 'allkeys-lru',
});

const aModule = (name: string, version: number) => ({ name, version });

/** It takes versions up to 11, and its own. */
const toValkey9: Changes = {
  target: { software: 'valkey', version: '9.1.2', compatibleVersion: '7.2.4' },
  targetAbilities: {
    payloadVersions: [
      [6, 11],
      [80, 80],
    ],
  },
};

function plan(changes: Changes = {}): Plan {
  const request = aRequest(changes.request);
  const source = {
    ...plainSource,
    ...changes.source,
    abilities: { ...plainSource.abilities, ...changes.sourceAbilities },
  };
  const target = {
    ...plainTarget,
    ...changes.target,
    abilities: { ...plainTarget.abilities, ...changes.targetAbilities },
  };
  const { plan: made, refusals } = decidePlan({
    request,
    source,
    target,
    choices: chooseDatabases(request, source.databases, target.databases),
    missing: { source: [], target: [], ...changes.missing },
    refused: { source: [], target: [], ...changes.refused },
    ...(changes.unknown === undefined ? {} : { unknown: changes.unknown }),
    keysRefused: { source: [], target: [], ...changes.keysRefused },
    scriptsRefused: changes.scriptsRefused ?? {},
    sourceServers: changes.sourceServers,
  });
  throwRefusals(request, refusals);
  return made;
}

describe('a plan of ordinary servers', () => {
  it('copies payloads and warns of nothing', () => {
    expect(plan()).toMatchObject({ transport: 'payload', warnings: [], targetKeysAtStart: 0 });
  });

  it('splits large databases, and none whose cursors are no places', () => {
    const source = { databases: [{ database: 0, keys: 1_000_000, expires: 0 }] };
    expect(plan({ source }).databases[0]!.bits).toBeGreaterThan(2);
    expect(plan({ source, sourceAbilities: { cursorOrder: false } }).databases[0]!.bits).toBe(0);
  });
});

describe('a plan to compare', () => {
  const target = { databases: [{ database: 0, keys: 1_000_000, expires: 0 }] };

  it('walks the target too, in ranges of its own', () => {
    expect(plan({ request: { mode: 'compare' }, target, targetAbilities: { cursorOrder: true } })).toMatchObject({
      databases: [{ database: 0, keys: 1_000, bits: 0 }],
      targetDatabases: [{ database: 0, keys: 1_000_000, bits: 5 }],
    });
  });

  it('says that it cannot tell extra keys where names are changed', () => {
    const renaming = plan({ request: { mode: 'compare', rename: [{ from: 'a', to: 'b' }] } });
    expect(renaming.targetDatabases).toBeUndefined();
    expect(renaming.warnings).toEqual(expect.arrayContaining([expect.stringMatching(/not looked for/)]));
  });

  it('takes a replica for a target, since it writes nothing', () => {
    expect(() => plan({ request: { mode: 'compare' }, target: { role: 'slave' } })).not.toThrow();
  });
});

describe('a plan to bring up to date', () => {
  const target = { databases: [{ database: 0, keys: 2_000, expires: 0 }] };

  it('walks the target only to delete what is extra', () => {
    expect(plan({ request: { mode: 'sync' }, target }).targetDatabases).toBeUndefined();
    const near = { databases: [{ database: 0, keys: 1_100, expires: 0 }] };
    expect(plan({ request: { mode: 'sync', deleteExtra: true }, target: near }).targetDatabases).toHaveLength(1);
  });

  it('deletes nothing for a source that has shrunk, unless forced', () => {
    const refused = expect.objectContaining({ status: 409, code: 'sourceLooksWrong' }) as Error;
    expect(() => plan({ request: { mode: 'sync', deleteExtra: true }, target })).toThrow(refused);
    expect(() => plan({ request: { mode: 'sync', deleteExtra: true, force: true }, target })).not.toThrow();
  });
});

describe('the databases of a plan', () => {
  const present = [0, 5, 7].map((database) => ({ database, keys: 10, expires: 0 }));
  const choose = (databases: unknown) => chooseDatabases(aRequest({ databases }), present, []);

  it('are those with keys, those listed, or as mapped', () => {
    expect(choose('all').map(({ database }) => database)).toEqual([0, 5, 7]);
    expect(choose([7, 3, 7]).map(({ database, targetDatabase }) => [database, targetDatabase])).toEqual([
      [3, 3],
      [7, 7],
    ]);
    expect(choose({ '5': 1, '0': 'old:' })).toEqual([
      { database: 0, targetDatabase: 0, prefix: 'old:' },
      { database: 5, targetDatabase: 1, prefix: '' },
    ]);
  });
});

/** A server whose INFO has no Keyspace section, and which refuses all else. */
const untold = { databases: [{ database: 0, keys: undefined }], moreDatabases: true } as const;
const sync = { mode: 'sync', deleteExtra: true };

it('walks a database with an unknown number of keys in one piece, and says so', () => {
  const made = plan({ request: { databases: [0, 4] }, source: untold, target: untold });
  expect(made.databases).toMatchObject([
    { database: 0, bits: 0 },
    { database: 4, bits: 0 },
  ]);
  expect([made.targetKeysAtStart, ...made.databases.map(({ keys }) => keys)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(made.warnings).toEqual([
    expect.stringMatching(/^The source does not tell how many keys it has in databases 0, 4/),
    expect.stringMatching(/^Whether the target has keys already is not known/),
  ]);
});

describe('databases that connections end in', () => {
  it.each([
    [undefined, undefined, 'all'],
    [0, 0, 'all'],
    [0, undefined, 'all'],
    [3, undefined, { 3: 3 }],
    [3, 0, { 3: 0 }],
    [3, 5, { 3: 5 }],
    [undefined, 5, { 0: 5 }],
    [0, 5, { 0: 5 }],
  ])('of %s and %s are %j', (source, target, databases) => {
    const request = aRequest();
    expect(withConnectionDatabases(request, source, target).databases).toEqual(databases);
    const named = aRequest({ databases: [1] });
    expect(withConnectionDatabases(named, source, target)).toBe(named);
  });
});

describe('what is refused', () => {
  it.each<[string, Changes, number, string]>([
    ['one server on both sides', { target: { runId: 'source-run' } }, 409, 'sameServer'],
    ['one name on both sides', { request: { target: 'old' } }, 409, 'sameServer'],
    [
      'one node of a cluster on both sides',
      { source: { runId: 'a+b', cluster: true }, target: { runId: 'b+c', cluster: true } },
      409,
      'sameServer',
    ],
    [
      'deletion by what a cluster says',
      { source: { cluster: true }, request: { mode: 'sync', deleteExtra: true } },
      400,
      'clusterNotSupported',
    ],
    [
      'a backup of a cluster whose nodes are walked by cursors of their own',
      {
        source: { cluster: true },
        sourceAbilities: { nodeWalks: 3 },
        request: { target: { rdb: 'BACKUPS', file: 'a.rdb' } },
      },
      400,
      'fileNotPossible',
    ],
    ['a replica as target', { target: { role: 'slave' } }, 400, 'targetIsReplica'],
    ['two databases into one', { request: { databases: { '0': 3, '5': 3 } } }, 400, 'databasesCollide'],
    ['two databases under one prefix', { request: { databases: { '0': 'a:', '5': 'a:' } } }, 400, 'databasesCollide'],
    [
      'keys on the target when there must be none',
      { request: { onConflict: 'fail' }, target: { databases: [{ database: 0, keys: 1, expires: 0 }] } },
      409,
      'targetNotEmpty',
    ],
    [
      'more to be converted than can be kept in mind of a file',
      {
        request: { source: { rdb: 'FILES', file: 'a.rdb' }, convert: ['aspnet-session-v5'] },
        source: { file: aFile(6_000_001) },
      },
      400,
      'fileNotPossible',
    ],
  ])('%s', (_, changes, status, code) => {
    expect(() => plan(changes)).toThrow(PlanRefusedError);
    expect(() => plan(changes)).toThrow(expect.objectContaining({ status, code }) as Error);
  });

  it.each<[string, Changes, string]>([
    [
      'keys that may be on the target when there must be none',
      { request: { onConflict: 'fail' }, target: untold },
      'targetKeysUnknown',
    ],
    ['"all" of a source that lists no databases', { source: untold }, 'databasesUnknown'],
    [
      '"all" of such a target where extra keys are looked for',
      { request: { mode: 'compare' }, target: untold },
      'databasesUnknown',
    ],
    [
      'to delete where the target tells no number',
      { request: { ...sync, databases: [0] }, target: untold },
      'sourceLooksWrong',
    ],
    [
      'to delete where the source tells none',
      { request: { ...sync, databases: [0] }, source: untold },
      'sourceLooksWrong',
    ],
    [
      'a replica of the target as source',
      { source: { role: 'slave', replicationId: 'r' }, target: { replicationId: 'r' } },
      'sameReplication',
    ],
    [
      'two replicas of one master',
      { source: { role: 'slave', replicationId: 'r' }, target: { role: 'slave', replicationId: 'r' } },
      'sameReplication',
    ],
    [
      'one master twice that hides who it is',
      { source: { replicationId: 'r', runId: '' }, target: { replicationId: 'r', runId: '' } },
      'sameReplication',
    ],
  ])('%s', (_, changes, code) => {
    expect(() => plan(changes)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it.each<[string, Changes, string]>([
    ['a database that the source does not have', { missing: { source: [3] } }, 'noSuchDatabase'],
    ['a database that the target does not have', { missing: { target: [3] } }, 'noSuchDatabase'],
    ['a right that a source must give', { refused: { source: ['SCAN', 'PING'] } }, 'rightsMissing'],
    ['a right that a target must give for a sync', { request: sync, refused: { target: ['UNLINK'] } }, 'rightsMissing'],
    [
      'a right that is needed since no payload goes',
      { sourceAbilities: { dump: false }, refused: { target: ['RENAME'] } },
      'rightsMissing',
    ],
    ['keys that a user may not touch', { keysRefused: { target: ['app:*'] } }, 'rightsMissing'],
    ['a conversion from where scripts are refused', { scriptsRefused: { source: 'NOPERM' } }, 'scriptsNeeded'],
    ['a conversion to where they are', { scriptsRefused: { target: 'NOPERM' } }, 'scriptsNeeded'],
    [
      'what a conversion in place does not take',
      { request: { target: 'OLD', convert: ['aspnet-session-v5'], onConflict: 'fail' } },
      'inPlaceOnly',
    ],
    [
      'to delete where the source does not tell which process it is',
      { request: { ...sync, force: true }, source: { runId: '' } },
      'sourceLooksWrong',
    ],
    [
      'to delete what a master of a cluster had that has come back empty',
      { request: live, ...followable, sourceServers: [aMaster(5_000), aMaster(5_000), aMaster(0)] },
      'sourceLooksWrong',
    ],
    [
      'to follow a cluster one of whose masters would evict keys for it',
      { request: live, ...followable, sourceServers: [aMaster(5), aMaster(5, 1e9)] },
      'cannotFollow',
    ],
  ])('%s', (_, changes, code) => {
    expect(() => plan(changes)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('is not a cluster that is followed, whose masters have keys and room', () => {
    const sourceServers = [aMaster(5_000), aMaster(4_000)];
    expect(plan({ request: live, ...followable, sourceServers }).request.deleteExtra).toBe(true);
    const emptied = [aMaster(5_000), aMaster(0)];
    expect(plan({ request: { ...live, force: true }, ...followable, sourceServers: emptied })).toBeDefined();
  });

  it('tells commands that a side does not have apart from rights', () => {
    const unknown = { source: ['TIME', 'FUNCTION LIST'], target: [] } as const;
    const message = /^The source "OLD" does not know TIME, without which/;
    expect(() => plan({ refused: { source: ['TIME', 'FUNCTION LIST'] }, unknown })).toThrow(message);
    expect(() => plan({ refused: { source: ['SCAN', 'TIME'] }, unknown })).toThrow(/may not run SCAN; allow it/);
    const warned = plan({ refused: { source: ['FUNCTION LIST', 'MEMORY USAGE'] }, unknown }).warnings.join('\n');
    expect(warned).toMatch(/^The user of the source may not run MEMORY USAGE: /m);
    expect(warned).toMatch(/^The source does not know FUNCTION LIST: /m);
  });

  it('is a dry run told of, as far as it can do without', () => {
    const request = { mode: 'dry-run' };
    const { obstacles } = plan({ request, targetAbilities: { restore: false }, refused: { target: ['MULTI'] } });
    expect(obstacles).toEqual([expect.objectContaining({ code: 'rightsMissing' })]);
    expect(() => plan({ request, refused: { target: ['EXISTS'] } })).toThrow(/EXISTS/);
    expect(() => plan({ request, keysRefused: { source: ['app:*'] } })).toThrow(/~app:\*/);
  });

  it('is told at once, the most useful first, and the others by the field that they are about', () => {
    const several: Changes = {
      request: { databases: [0, 3, 4], onConflict: 'fail' },
      target: { role: 'slave', databases: [{ database: 0, keys: 1, expires: 0 }] },
      missing: { target: [3, 4] },
    };
    expect(() => plan(several)).toThrow(
      expect.objectContaining({
        code: 'targetIsReplica',
        details: [
          { path: 'databases', message: expect.stringMatching(/no database 3\./) as string },
          { path: 'databases', message: expect.stringMatching(/no database 4\./) as string },
          { path: 'onConflict', message: expect.stringMatching(/has 1 keys/) as string },
        ],
      }) as Error,
    );
    expect(() => plan({ missing: { target: [3] } })).toThrow(expect.objectContaining({ details: [] }) as Error);
  });

  it('is told by a dry run where that can go on', () => {
    const made = plan({
      request: { mode: 'dry-run', databases: [0, 3], onConflict: 'fail' },
      source: { role: 'slave', replicationId: 'r' },
      target: { role: 'slave', replicationId: 'r', databases: [{ database: 0, keys: 1, expires: 0 }] },
      missing: { target: [3] },
    });
    expect(made.obstacles?.map(({ code }) => code)).toEqual([
      'sameReplication',
      'targetIsReplica',
      'noSuchDatabase',
      'targetNotEmpty',
    ]);
    expect(made.databases.map(({ missingOnTarget }) => missingOnTarget)).toEqual([undefined, true]);
    const refused: readonly Changes[] = [{ missing: { source: [3] } }, { request: { target: 'OLD' } }];
    for (const { request, ...changes } of refused) {
      expect(() => plan({ request: { mode: 'dry-run', ...request }, ...changes })).toThrow(PlanRefusedError);
    }
  });

  it('is not: two masters with one replication id, a former replica, or a replica to compare with', () => {
    expect(() => plan({ source: { replicationId: 'r' }, target: { replicationId: 'r' } })).not.toThrow();
    const promoted = { replicationId: 'new', formerReplicationId: 'r' };
    expect(() => plan({ source: { replicationId: 'r' }, target: promoted })).not.toThrow();
    const replica = { role: 'slave', replicationId: 'r' };
    expect(() => plan({ request: { mode: 'compare' }, source: replica, target: { replicationId: 'r' } })).not.toThrow();
  });

  it('is not: two servers that tell no run id, or keys in another database of the target', () => {
    expect(() => plan({ source: { runId: '' }, target: { runId: '' } })).not.toThrow();
    const elsewhere = { databases: [{ database: 9, keys: 1, expires: 0 }] };
    expect(plan({ request: { onConflict: 'fail' }, target: elsewhere }).targetKeysAtStart).toBe(0);
  });
});

describe('what is warned of', () => {
  it.each<[string, Changes, RegExp]>([
    ['functions', { sourceAbilities: { functions: 2 } }, /2 function libraries/],
    [
      'modules',
      {
        sourceAbilities: { modules: [aModule('ReJSON', 1), aModule('bf', 1)] },
        targetAbilities: { modules: [aModule('bf', 1)] },
      },
      /lacks modules of the source \(ReJSON\)/,
    ],
    [
      'older modules',
      { sourceAbilities: { modules: [aModule('bf', 2)] }, targetAbilities: { modules: [aModule('bf', 1)] } },
      /older version of the module \(bf\)/,
    ],
    [
      'modules that are not told',
      { sourceAbilities: { modules: [aModule('bf', 2)] } },
      /types become findings: the target does not tell/,
    ],
    [
      'too little memory',
      { source: { usedMemory: 2e9 }, target: { maxMemory: 1e9 } },
      /too small: the source uses 1907 MiB/,
    ],
    [
      'a target that evicts',
      { target: { maxMemory: 1e9, evictionPolicy: 'allkeys-lru' } },
      /evicts keys when it is full/,
    ],
    [
      'another policy',
      { source: { maxMemory: 1, evictionPolicy: 'volatile-lru' } },
      /not carried over: source volatile-lru/,
    ],
    ['a replica as source', { source: { role: 'slave' } }, /is a replica/],
    [
      'a master alone with a replica that nobody reaches',
      { target: { cluster: true, unseenReplicas: 1 } },
      /one of its replicas/,
    ],
    [
      'payloads that are too new',
      { sourceAbilities: { payloadVersion: 13 } },
      /\(the source writes version 13, the target takes 6 to 12\), so every key is copied by ordinary commands/,
    ],
    [
      'payloads of a newer Redis that Valkey 9 does not take, though it takes newer ones',
      { sourceAbilities: { payloadVersion: 13 }, ...toValkey9 },
      /\(the source writes version 13, the target takes 6 to 11 and 80\), so every key/,
    ],
    ['no right to DUMP', { sourceAbilities: { dump: false } }, /\(the source allows no DUMP\), so every key/],
    ['no right to RESTORE', { targetAbilities: { restore: false } }, /\(the target allows no RESTORE\), so every key/],
    ['keys that are there', { target: { databases: [{ database: 0, keys: 7, expires: 0 }] } }, /has 7 keys already/],
    ['names that may become the same', { request: { rename: [{ from: 'a', to: 'b' }] } }, /overwrite each other/],
    [
      'prefixes that may collide',
      { request: { databases: { '0': 0, '5': 'db5:' } } },
      /of database 0 whose names begin with "db5:"/,
    ],
  ])('%s', (_, changes, words) => {
    expect(plan(changes).warnings).toEqual(expect.arrayContaining([expect.stringMatching(words)]));
  });
});

it.each(['sync', 'compare'])('%s does not warn of keys that are there: it is for them', (mode) => {
  const target = { databases: [{ database: 0, keys: 7, expires: 0 }] };
  expect(plan({ request: { mode }, target }).warnings).toEqual([]);
});

it('in place it is not warned of keys that are there, and keepOld has its meaning', () => {
  const convert = [{ converter: 'aspnet-session-v5', keepOld: false }];
  const target = { databases: [{ database: 0, keys: 7, expires: 0 }] };
  const inPlace = plan({ request: { source: 'OLD', target: 'OLD', convert }, target });
  expect(inPlace).toMatchObject({ inPlace: true, warnings: [], targetKeysAtStart: 7 });
  expect(plan({ request: { convert } }).warnings).toEqual([expect.stringMatching(/^"keepOld": false is for/)]);
  expect(plan({ request: { convert: ['aspnet-session-v5'] } }).warnings).toEqual([]);
});

describe('how keys travel', () => {
  it.each<[string, Changes, Plan['transport']]>([
    ['as payloads when the target reads them', {}, 'payload'],
    [
      'as payloads when it is not known what the source writes',
      { sourceAbilities: { payloadVersion: undefined as never } },
      'payload',
    ],
    [
      'as payloads from a newer server, which are made those of the older one',
      { sourceAbilities: { payloadVersion: 12 }, targetAbilities: { payloadVersions: [[6, 9]] } },
      'payload',
    ],
    [
      'by commands from a server that is newer than all that are known',
      { sourceAbilities: { payloadVersion: 13 }, targetAbilities: { payloadVersions: [[6, 9]] } },
      'commands',
    ],
    ['as payloads from Redis 8 to Valkey 9', { sourceAbilities: { payloadVersion: 12 }, ...toValkey9 }, 'payload'],
    [
      'by commands from a newer Redis to Valkey 9',
      { sourceAbilities: { payloadVersion: 13 }, ...toValkey9 },
      'commands',
    ],
    ['as payloads from Redis 7.2 to Valkey 9', { sourceAbilities: { payloadVersion: 11 }, ...toValkey9 }, 'payload'],
    ['as payloads from Valkey 9 to itself', { sourceAbilities: { payloadVersion: 80 }, ...toValkey9 }, 'payload'],
    ['as payloads from Valkey 9 to Redis 8', { sourceAbilities: { payloadVersion: 80 } }, 'payload'],
    ['by commands from a newer Valkey to Redis 8', { sourceAbilities: { payloadVersion: 81 } }, 'commands'],
    [
      'by commands where a stored plan does not say what is taken',
      { targetAbilities: { payloadVersions: undefined as never } },
      'commands',
    ],
    ['by commands where DUMP is refused', { sourceAbilities: { dump: false } }, 'commands'],
    ['by commands where RESTORE is refused', { targetAbilities: { restore: false } }, 'commands'],
  ])('%s', (_, changes, transport) => {
    expect(plan(changes).transport).toBe(transport);
  });
});
