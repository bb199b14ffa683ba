import { kindOf } from '../convert/registry';
import { catalogue } from '../convert/catalogue';
import type { CommandName } from '../redis/rights';
import { looksForExtra } from './choose-databases';
import { asksForLibraries } from './libraries';
import type { SideName } from './phases';
import type { RightFacts, ToldFacts, TriedFacts } from './plan-facts';
import { isSameServer } from './same-server';
import { fileOf } from './side-spec';
import { chooseTransport } from './transport';

/** Commands that a migration asks a side for. */
export interface Right {
  readonly side: SideName;
  /** What asks for them, for the documentation. */
  readonly for: string;
  readonly commands: readonly CommandName[];
  readonly asked: (facts: ToldFacts) => boolean;
  /** What is lost where one is refused; where nothing stands here, a migration does not start without. */
  readonly without?: string;
  /** Once both sides were tried: it does not start without either. */
  readonly needed?: (facts: TriedFacts) => boolean;
  /** Another warning tells what is lost. */
  readonly toldElsewhere?: true;
  /** A converter's scripts call them: refused as such. */
  readonly conversion?: true;
  /** A dry run, which tells what a copy would be refused for, cannot do without either. */
  readonly inDryRun?: true;
}

/** What asks for the rights of a conversion in place. */
export const IN_PLACE = 'the same in place';

const always = () => true;
/** Values are read to be written, now or by the copy that a dry run is for. */
const copies = (facts: ToldFacts) => facts.request.mode !== 'compare' && !isSameServer(facts);
const isDryRun = ({ request }: ToldFacts) => request.mode === 'dry-run';
const isBackup = ({ request }: ToldFacts) => fileOf(request.target) !== undefined;
/** A source that is followed is synced after a gap. */
const isSync = ({ request: { mode } }: ToldFacts) => mode === 'sync' || mode === 'live';
const isLive = ({ request: { mode } }: ToldFacts) => mode === 'live';
const isSkip = (facts: ToldFacts) => copies(facts) && facts.request.onConflict === 'skip';
const compares = (facts: ToldFacts) => {
  const { mode, verify } = facts.request;
  return mode === 'compare' || isSync(facts) || (mode === 'copy' && (verify === 'quick' || verify === 'full'));
};
const looksAtValues = (facts: ToldFacts) => copies(facts) || compares(facts);
const walksTarget = ({ request }: ToldFacts) => looksForExtra(request);
const deletesExtra = ({ request: { mode, deleteExtra } }: ToldFacts) =>
  mode === 'live' || (mode === 'sync' && deleteExtra);
const byCommandsOnly = ({ source, target }: TriedFacts) => chooseTransport({ source, target }) === 'commands';
const restoresLibraries = ({ request, source }: ToldFacts) => asksForLibraries(request, source);
const inCluster = (side: SideName) => (facts: ToldFacts) => facts[side].cluster;
const otherThan0 = (side: SideName) => (facts: ToldFacts) =>
  facts.choices.some(({ database, targetDatabase }) => (side === 'source' ? database : targetDatabase) !== 0);

const ASKING_LESS = 'keys of slots that are on their way to another node wait until they are there';
/** Of types that every server has. */
const LENGTHS: readonly CommandName[] = ['STRLEN', 'LLEN', 'SCARD', 'ZCARD', 'HLEN'];
const SLOWER_VALUES = 'a comparison of values takes longer';

/** By type: what reads its keys, and what builds them by ordinary commands. */
const TYPES: readonly (readonly [plural: string, reading: readonly CommandName[], building: readonly CommandName[]])[] =
  [
    ['strings', ['STRLEN', 'GETRANGE'], ['SET', 'APPEND']],
    ['lists', ['LLEN', 'LRANGE'], ['RPUSH']],
    ['sets', ['SCARD', 'SSCAN'], ['SADD', 'SSCAN']],
    ['sorted sets', ['ZCARD', 'ZSCAN', 'ZRANGE'], ['ZADD', 'ZSCAN']],
    ['hashes', ['HLEN', 'HSCAN', 'HPEXPIRETIME'], ['HMSET', 'HSCAN', 'HPEXPIREAT', 'HPEXPIRETIME']],
    [
      'streams',
      ['XLEN', 'XINFO', 'XRANGE', 'XPENDING'],
      ['XADD', 'XGROUP', 'XREADGROUP', 'XCLAIM', 'XDEL', 'XTRIM', 'XSETID', 'XINFO'],
    ],
  ];

const ofConnections: readonly Omit<Right, 'side'>[] = [
  {
    for: 'everything',
    commands: ['DBSIZE'],
    asked: always,
    without: 'how many keys it has is known only as far as INFO tells',
    toldElsewhere: true,
  },
  {
    for: 'everything',
    commands: ['CLIENT SETNAME'],
    asked: always,
    without: 'its connections have no name in CLIENT LIST',
  },
  {
    for: 'everything',
    commands: ['CLUSTER'],
    asked: always,
    without: 'whether it is a node of a cluster is known only where INFO tells',
    toldElsewhere: true,
  },
  {
    for: 'everything',
    commands: ['CONFIG GET'],
    asked: always,
    without:
      'how many clients it takes is not known where INFO does not tell (before 7.0), so that none are left to others',
  },
  {
    for: 'everything',
    commands: ['PING'],
    asked: always,
    without: 'what stands in between may cut connections that are idle, which are opened again then',
  },
  {
    for: 'everything',
    commands: ['PEXPIRETIME'],
    asked: always,
    without: 'expiries are read to about two milliseconds',
  },
  {
    for: 'everything',
    commands: ['MODULE LIST'],
    asked: copies,
    without: 'its modules are known only as far as INFO tells',
  },
];

/** Nodes of a cluster are not sent it. */
const notToCount = (side: SideName): Right => ({
  side,
  for: 'servers that are no clusters',
  commands: ['CLIENT NO-TOUCH'],
  asked: (facts) => !facts[side].cluster,
  without: 'keys that are looked at count as used there, as always before 7.2',
});

const valuesByScript: Omit<Right, 'side'> = {
  for: 'comparisons of values',
  commands: ['MGET', 'SMEMBERS', 'HGETALL', 'MEMORY USAGE'],
  asked: compares,
  without: SLOWER_VALUES,
};

/** All that is asked for. What stands here is what docs/security.md lists, and what the tests give their users. */
export const rights: readonly Right[] = [
  {
    side: 'source',
    for: 'everything',
    commands: ['INFO', 'SCAN', 'TIME', 'TYPE', 'PTTL', 'EXISTS'],
    asked: always,
    inDryRun: true,
  },
  {
    side: 'source',
    for: 'databases other than 0',
    commands: ['SELECT'],
    asked: otherThan0('source'),
    inDryRun: true,
  },
  {
    side: 'source',
    for: 'clusters',
    commands: ['CLUSTER'],
    asked: inCluster('source'),
    inDryRun: true,
  },
  {
    side: 'source',
    for: 'clusters',
    commands: ['ASKING'],
    asked: inCluster('source'),
    without: ASKING_LESS,
  },
  {
    side: 'source',
    for: 'clusters',
    commands: ['EVAL', 'EVALSHA'],
    asked: inCluster('source'),
    without: 'its slots are not read by themselves: each master is walked whole, begun anew where slots move',
  },
  {
    side: 'source',
    for: 'everything',
    commands: ['EVAL', 'EVALSHA'],
    asked: always,
    without: 'its keys are read by single commands, which is slower',
  },
  {
    side: 'source',
    for: 'copy, sync, dry run',
    commands: ['DUMP'],
    asked: copies,
    without: 'every key is copied by ordinary commands, which is slower',
    toldElsewhere: true,
  },
  {
    side: 'source',
    for: 'copy, sync, dry run',
    commands: ['MEMORY USAGE'],
    asked: copies,
    without: 'how large a key is shows only when it has been read whole',
  },
  {
    side: 'source',
    for: 'copy, sync, dry run',
    commands: ['FUNCTION LIST'],
    asked: copies,
    without: 'whether it has function libraries, which are no keys and are not copied, is not known',
  },
  {
    side: 'source',
    for: 'backup into a file',
    commands: ['FUNCTION DUMP'],
    asked: isBackup,
    without: 'function libraries are not in the file',
  },
  {
    side: 'source',
    for: 'backup into a file',
    commands: ['WATCH', 'UNWATCH', 'MULTI', 'EXEC'],
    asked: isBackup,
    without: 'keys larger than KEYFERRY_MEMORY_MIB are not in the file',
  },
  {
    side: 'source',
    for: 'copy and sync, where the source evicts by LRU or LFU',
    commands: ['OBJECT'],
    asked: (facts) => copies(facts) && !isDryRun(facts) && /l[rf]u$/.test(facts.source.evictionPolicy),
    without: 'how often, or how long ago, keys were used begins anew on the target',
  },
  {
    side: 'source',
    for: 'dry run',
    commands: ['OBJECT'],
    asked: isDryRun,
    without: 'the report does not tell how values are encoded',
  },
  {
    side: 'source',
    for: 'live, told by RESP3',
    commands: ['HELLO', 'SUBSCRIBE', 'CLIENT TRACKING'],
    asked: isLive,
    without: 'it is told in another way, or does not start',
    toldElsewhere: true,
  },
  {
    side: 'source',
    for: 'live, told by RESP2',
    commands: ['SUBSCRIBE', 'CLIENT ID', 'CLIENT TRACKING'],
    asked: isLive,
    without: 'it is told in another way, or does not start',
    toldElsewhere: true,
  },
  {
    side: 'source',
    for: 'live, told by keyspace notifications',
    commands: ['CONFIG GET', 'PSUBSCRIBE'],
    asked: isLive,
    without: 'it is told in another way, or does not start',
    toldElsewhere: true,
  },
  {
    side: 'source',
    for: 'live',
    commands: ['CLIENT LIST'],
    asked: isLive,
    without: 'a cut-over does not tell who still writes',
  },
  ...ofConnections.map((right): Right => ({ side: 'source', ...right })),
  notToCount('source'),
  { side: 'source', for: 'comparisons and syncs', commands: LENGTHS, asked: compares },
  ...TYPES.map(([type, reading]): Right => ({
    side: 'source',
    for: `${type} that go by ordinary commands or are compared`,
    commands: reading,
    asked: looksAtValues,
    without: `${type} that go by ordinary commands become findings, and a comparison of their values ends with an error`,
  })),
  { side: 'source', ...valuesByScript },
  ...conversions('source'),

  { side: 'target', for: 'everything', commands: ['INFO', 'TIME', 'EXISTS'], asked: always, inDryRun: true },
  { side: 'target', for: 'databases other than 0', commands: ['SELECT'], asked: otherThan0('target'), inDryRun: true },
  { side: 'target', for: 'clusters', commands: ['CLUSTER'], asked: inCluster('target'), inDryRun: true },
  { side: 'target', for: 'clusters', commands: ['ASKING'], asked: inCluster('target'), without: ASKING_LESS },
  {
    side: 'target',
    for: 'live',
    commands: ['CLIENT LIST', 'CLIENT KILL'],
    asked: isLive,
    without:
      'what another process of the app had sent when it was frozen or cut off may come there late, over what is newer',
  },
  {
    side: 'target',
    for: 'everything',
    commands: ['EVAL', 'EVALSHA'],
    asked: always,
    without: 'its keys are looked for by single commands, which is slower',
  },
  {
    side: 'target',
    for: 'copy and sync',
    commands: ['RESTORE'],
    asked: copies,
    without: 'every key is copied by ordinary commands, which is slower',
    toldElsewhere: true,
  },
  {
    side: 'target',
    for: 'keys that go by ordinary commands: large ones, and those that RESTORE does not take',
    commands: ['MULTI', 'EXEC', 'TYPE', 'PTTL', 'PEXPIRE', 'PEXPIREAT', 'PERSIST', 'UNLINK'],
    asked: copies,
    without: 'keys that go by ordinary commands become findings',
    needed: byCommandsOnly,
  },
  {
    side: 'target',
    for: 'the same, unless `onConflict` is "skip"',
    commands: ['RENAME'],
    asked: (facts) => copies(facts) && !isSkip(facts),
    without: 'keys that go by ordinary commands become findings',
    needed: byCommandsOnly,
  },
  {
    side: 'target',
    for: 'the same where `onConflict` is "skip"',
    commands: ['RENAMENX'],
    asked: isSkip,
    without: 'keys that go by ordinary commands become findings',
    needed: byCommandsOnly,
  },
  ...TYPES.map(([type, , building]): Right => ({
    side: 'target',
    for: `${type} that go by ordinary commands`,
    commands: building,
    asked: copies,
    without: `${type} that go by ordinary commands become findings`,
  })),
  {
    side: 'target',
    for: 'streams that go by ordinary commands',
    commands: ['XPENDING'],
    asked: copies,
    without: 'pending entries that another consumer claims while their stream is copied may be left with the first one',
  },
  {
    side: 'target',
    for: 'streams that go by ordinary commands and take longer than a message',
    commands: ['XRANGE'],
    asked: copies,
    without: 'such streams become findings',
  },
  {
    side: 'target',
    for: 'restore from a file with function libraries',
    commands: ['FUNCTION LIST', 'FUNCTION LOAD'],
    asked: restoresLibraries,
    without: 'function libraries of the file are not restored',
  },
  {
    side: 'target',
    for: 'copy and sync',
    commands: ['SCAN'],
    asked: copies,
    without: 'temporary keys that a crash leaves there stay for up to 15 minutes',
  },
  ...ofConnections.map((right): Right => ({ side: 'target', ...right })),
  notToCount('target'),
  { side: 'target', for: 'comparisons and syncs', commands: ['TYPE', 'PTTL', ...LENGTHS], asked: compares },
  ...TYPES.map(([type, reading]): Right => ({
    side: 'target',
    for: `${type} that are compared`,
    commands: reading,
    asked: looksAtValues,
    without: `a comparison of the values of ${type} ends with an error; copies look at values where the target restarts or loses keys in the middle`,
  })),
  { side: 'target', ...valuesByScript },
  { side: 'target', for: 'sync', commands: ['PEXPIREAT', 'PERSIST'], asked: isSync },
  { side: 'target', for: 'keys that only the target has', commands: ['SCAN'], asked: walksTarget },
  { side: 'target', for: '`deleteExtra`', commands: ['UNLINK'], asked: deletesExtra },
  ...conversions('target'),
];

/** What converters' scripts call. In place both sides are one server, and either user may be the one that reads and writes. */
function conversions(side: SideName): Right[] {
  return catalogue.flatMap(({ name }): Right[] => {
    const called = kindOf({ converter: name }).rights;
    const isAsked = ({ request }: ToldFacts) => request.convert.some(({ converter }) => converter === name);
    return [
      {
        side,
        for: `\`convert\` ${name}`,
        commands: ['EVAL', 'EVALSHA', ...called[side]],
        asked: isAsked,
        conversion: true,
      },
      {
        side,
        for: IN_PLACE,
        commands: called[side === 'source' ? 'target' : 'source'],
        asked: (facts) => isAsked(facts) && isSameServer(facts),
        conversion: true,
      },
    ];
  });
}

/** The commands that a migration asks a side for, each once. */
export function commandsAsked(side: SideName, facts: ToldFacts): CommandName[] {
  return [...new Set(rights.filter((right) => right.side === side && right.asked(facts)).flatMap((r) => r.commands))];
}

/** A right that a user lacks. */
export interface LackingRight extends Right {
  /** Those that it may not run. */
  readonly lacking: readonly CommandName[];
  /** Of them, those that the server does not have. */
  readonly unknown: readonly CommandName[];
}

/** What a side's user lacks of what is asked for. */
function lackingRights(side: SideName, facts: RightFacts): LackingRight[] {
  return rights.flatMap((right): LackingRight[] => {
    if (right.side !== side || !right.asked(facts)) return [];
    const lacking = right.commands.filter((command) => facts.refused[side].includes(command));
    const unknown = lacking.filter((command) => facts.unknown?.[side].includes(command) === true);
    return lacking.length === 0 ? [] : [{ ...right, lacking, unknown }];
  });
}

/** What is lacking and cannot be done without, as far as that is known before anything else is tried. */
export function neededRights(side: SideName, facts: RightFacts): LackingRight[] {
  return lackingRights(side, facts).filter(({ without, conversion }) => without === undefined && conversion !== true);
}

/** What the scripts of the request's converters lack. */
export function rightsOfScripts(side: SideName, facts: RightFacts): LackingRight[] {
  return lackingRights(side, facts).filter(({ conversion }) => conversion === true);
}

/** What else turned out to be needed once both sides were tried. */
export function neededRightsWhenTried(side: SideName, facts: TriedFacts): LackingRight[] {
  return lackingRights(side, facts).filter(({ without, needed }) => without !== undefined && needed?.(facts) === true);
}

/** What can be done without, and is lost. */
export function lostRights(side: SideName, facts: TriedFacts): LackingRight[] {
  return lackingRights(side, facts).filter(({ without, needed }) => without !== undefined && needed?.(facts) !== true);
}

/** How ACL SETUSER gives a command: "+memory|usage". */
export function aclOf(command: CommandName): string {
  return `+${command.toLowerCase().replace(' ', '|')}`;
}
