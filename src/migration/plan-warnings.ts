import { kindOf } from '../convert/registry';
import { leadBack } from '../convert/rename/leading-back';
import { hashTag } from '../keyspace/hash-slot';
import { isReplica, type ServerFacts } from '../redis/probe';
import { warningsOfLibraries } from './libraries';
import { sideNames, type SideName } from './phases';
import { hasFunctions, MOST_NAMES, namesFit, warningsOfDamage } from './file-facts';
import type { PlanFacts } from './plan-facts';
import type { Plan } from './plan';
import { lostRights, type LackingRight } from './rights';
import { fileOf, isServer } from './side-spec';
import { warningsOfTransport } from './transport';

/** What is warned about: the facts, and what was decided from them. */
export interface WarningFacts
  extends PlanFacts, Pick<Plan, 'inPlace' | 'transport' | 'databases' | 'targetKeysAtStart'> {}

/** Expiries are promised to be so exact, ms. */
const EXACT_MS = 10;

type Rule = (facts: WarningFacts) => readonly string[];

/** Each tells what it warns of, in the order in which it is read. */
const RULES: readonly Rule[] = [
  ({ request, source: { abilities } }) =>
    when(
      writesServer(request) && fileOf(request.source) === undefined && abilities.functions > 0,
      () => `${abilities.functions} function libraries on the source are no keys and are not copied.`,
    ),
  (facts) => warningsOfLibraries(facts),
  ({ request, source: { file } }) =>
    when(
      request.target === null && (file?.functions ?? 0) > 0,
      () => `The file has ${file?.functions ?? 0} function libraries besides, which are no keys.`,
    ),
  ({ request, source: { abilities }, target }) =>
    when(
      fileOf(request.target) !== undefined && abilities.functions > 0 && !hasFunctions(target.abilities),
      () =>
        `${abilities.functions} function libraries on the source are not in the file: servers that read files of its version know none.`,
    ),
  ({ source: { file } }) => warningsOfDamage(file),
  ({ request, source: { file, databases }, choices }) => {
    const known = new Set(databases.map(({ database }) => database));
    const absent = choices.map(({ database }) => database).filter((database) => !known.has(database));
    return when(
      file !== undefined && request.databases !== 'all' && absent.length > 0,
      () => `The file has no keys of database ${absent.join(', ')}.`,
    );
  },
  ({ request, source: { file } }) =>
    when(
      writes(request) && (file?.ofModules ?? 0) > 0,
      () =>
        `${file?.ofModules ?? 0} records of the file belong to modules alone and are passed over: what modules keep beside keys is not restored.`,
    ),
  ({ request, source: { usedMemory = 0 }, target: { maxMemory = 0 } }) =>
    when(
      writes(request) && maxMemory > 0 && usedMemory > maxMemory,
      () =>
        `The target may be too small: the source uses ${mib(usedMemory)} MiB, the target is limited to ${mib(maxMemory)} MiB.`,
    ),
  ({ request, target: { maxMemory = 0, evictionPolicy } }) =>
    when(
      writes(request) && maxMemory > 0 && evictionPolicy !== 'noeviction' && evictionPolicy !== 'unknown',
      () =>
        `The target evicts keys when it is full (maxmemory-policy ${evictionPolicy}); noeviction is safer while copying.`,
    ),
  ({ request, source, target }) =>
    when(
      writesServer(request) && (source.maxMemory ?? 0) > 0 && source.evictionPolicy !== target.evictionPolicy,
      () =>
        `The eviction policy is a server setting and is not carried over: source ${source.evictionPolicy}, target ${target.evictionPolicy}.`,
    ),
  ({ request, source }) =>
    when(writes(request) && isReplica(source), () => 'The source is a replica: it may lag behind its master.'),
  (facts) => sideNames.flatMap((side) => lostRights(side, facts).flatMap(warningOfRight)),
  ({ clockSpread }) =>
    sideNames.flatMap((side) =>
      when(
        (clockSpread?.[side] ?? 0) > EXACT_MS,
        () =>
          `The clocks of the ${side}'s nodes are ${Math.round(clockSpread?.[side] ?? 0)} ms apart: expiries of keys on some nodes are off by as much.`,
      ),
    ),
  ({ source, target }) => [...warningsOfUnseen('source', source), ...warningsOfUnseen('target', target)],
  ({ choices, target }) =>
    choices.flatMap(({ database, prefix }) =>
      when(
        target.cluster && hashTag(Buffer.from(prefix)) !== undefined,
        () =>
          `The prefix "${prefix}" has a hash tag: all keys of database ${database} come into one slot of the target, and so to one node.`,
      ),
    ),
  ({ request, source, target, transport }) =>
    writes(request) && request.target !== null ? warningsOfTransport({ source, target }, transport) : [],
  // What cannot be noticed since a side does not tell it.
  ({ databases }) => {
    const untold = databases.filter(({ keys }) => keys === undefined);
    return when(
      untold.length > 0,
      () =>
        `The source does not tell how many keys it has in ${untold.length === 1 ? 'database' : 'databases'} ${untold.map(({ database }) => database).join(', ')}: that all were met cannot be checked against a number, and each is walked in one piece.`,
    );
  },
  ({ source, target }) =>
    Object.entries({ source, target }).flatMap(([side, { runId }]) =>
      when(runId === '', () => `The ${side} tells no run id: that it restarts or fails over is not noticed.`),
    ),
  ({ request, target }) =>
    when(
      writes(request) && target.evictedKeys === undefined,
      () => 'The target does not tell how many keys it has evicted: that it evicts some is not noticed.',
    ),
  // A sync and a comparison are there for keys on both sides.
  ({ request: { mode }, inPlace, targetKeysAtStart }) => {
    if (inPlace || targetKeysAtStart === 0 || mode === 'sync' || mode === 'compare') return [];
    return targetKeysAtStart === undefined
      ? ['Whether the target has keys already is not known: it does not tell.']
      : [`The target has ${targetKeysAtStart} keys already.`];
  },
  // Keys that get the same name on the target cannot both be there: the one that is written last stays.
  ({ request }) =>
    when(
      request.rename.length > 0,
      () => 'Keys that "rename" gives the same name overwrite each other on the target; this is not looked for.',
    ),
  ({ databasesByConnection, choices: [choice] }) =>
    when(
      databasesByConnection === true && choice !== undefined,
      () =>
        `Only database ${choice?.database ?? 0} goes, into database ${choice?.targetDatabase ?? 0}, since a connection ends in a database; "databases" in the request says otherwise.`,
    ),
  ({ choices }) =>
    choices.flatMap(({ database, targetDatabase, prefix }) => {
      const other = choices.find(
        (choice) =>
          choice.database !== database && choice.targetDatabase === targetDatabase && choice.prefix.startsWith(prefix),
      );
      return other === undefined
        ? []
        : [
            `Keys of database ${database} whose names begin with "${other.prefix.slice(prefix.length)}" may overwrite keys of database ${other.database} on the target.`,
          ];
    }),
  ({ request: { mode, rename } }) =>
    when(
      mode === 'compare' && !leadBack(rename),
      () =>
        'Extra keys on the target are not looked for: from which names "rename" made theirs cannot be told. It can of rules that put other text at the start of names ("^old:") or at their end (":old$").',
    ),
  ({ request: { mode, rename }, source: { file }, choices }) =>
    when(
      mode === 'compare' && leadBack(rename) && !namesFit(file, choices),
      () =>
        `Extra keys on the target are not looked for: a database of the file has more than ${MOST_NAMES} keys. Compare their numbers, or restore the file into an empty server and compare that.`,
    ),
  ({ request: { mode, verify, convert }, inPlace }) => {
    const compares = mode === 'compare' || verify === 'quick' || verify === 'full';
    return convert.flatMap((options) => kindOf(options).warnings(options, { inPlace, compares }));
  },
  ({ writerOfSource }) =>
    when(
      writerOfSource !== undefined,
      () =>
        `The migration ${writerOfSource ?? ''} is writing to the source: what it has not written yet may not be seen.`,
    ),
];

/** In a cluster with more masters the others would know. */
export function warningsOfUnseen(
  side: SideName,
  { unseenReplicas = 0 }: Pick<ServerFacts, 'unseenReplicas'>,
): string[] {
  return when(
    unseenReplicas > 0,
    () =>
      `The ${side} is a cluster with one master, which does not reach ${unseenReplicas === 1 ? 'one' : unseenReplicas} of its replicas, and nor is that reached from here: if it was made the master by force (CLUSTER FAILOVER TAKEOVER), that does not show, and clients of the ${side} may have other data. See that they reach each other, or take it out of the cluster.`,
  );
}

/** What is to be known of a migration before it starts. */
export function warningsOf(facts: WarningFacts): string[] {
  return RULES.flatMap((rule) => rule(facts));
}

function when(holds: boolean, warning: () => string): string[] {
  return holds ? [warning()] : [];
}

function warningOfRight({ side, lacking, unknown, without = '', toldElsewhere }: LackingRight): string[] {
  const refused = lacking.filter((command) => !unknown.includes(command));
  const told = toldElsewhere === undefined;
  return [
    ...when(told && refused.length > 0, () => `The user of the ${side} may not run ${refused.join(', ')}: ${without}.`),
    ...when(told && unknown.length > 0, () => `The ${side} does not know ${unknown.join(', ')}: ${without}.`),
  ];
}

/** Whether keys are written to a server, or would be. */
function writesServer(request: Plan['request']): boolean {
  return writes(request) && isServer(request.target);
}

/** Whether keys are written, or would be. */
function writes({ mode }: Plan['request']): boolean {
  return mode !== 'compare';
}

function mib(bytes: number): string {
  return (bytes / 1_048_576).toFixed(0);
}
