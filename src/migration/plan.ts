import type { SessionCount } from './session-count';
import { bitsFor } from '../keyspace/split';
import { isReplica, type ServerFacts, type SourceAbilities, type TargetAbilities } from '../redis/probe';
import { keysIn, keysInAll, sumOfKnown, type DatabaseKeys } from '../redis/database-keys';
import { doubtOfSource } from './source-doubt';
import type { MigrationRequest } from './request';
import { chooseTransport, warningsOfTransport, type Transport } from './transport';

/** A database to be walked. */
export interface WalkedDatabase {
  readonly database: number;
  /** Keys when planned; undefined where the server did not tell. */
  readonly keys?: number | undefined;
  /** Split into 2^bits ranges. */
  readonly bits: number;
}

/** One database to be copied. */
export interface DatabasePlan extends WalkedDatabase {
  readonly targetDatabase: number;
  /** Put in front of every key name; empty for none. */
  readonly prefix: string;
  /** The target has no such database. Only in a dry run, which tells it; all else is refused then. */
  readonly missingOnTarget?: true;
}

/** What was decided before the first key moved. Kept whole in the plan row. */
export interface Plan {
  readonly request: MigrationRequest;
  readonly source: ServerFacts & { readonly abilities: SourceAbilities };
  readonly target: ServerFacts & { readonly abilities: TargetAbilities };
  readonly databases: readonly DatabasePlan[];
  /** The target's databases that are walked for extra keys, in the modes that do. */
  readonly targetDatabases?: readonly WalkedDatabase[];
  /** Source and target are one server: keys are converted where they are, and nothing is copied. */
  readonly inPlace: boolean;
  readonly transport: Transport;
  /** ASP.NET sessions found, where they are to be converted. */
  readonly sessions?: SessionCount;
  /** Keys in the target's databases that are written to, when planned; undefined where it did not tell. */
  readonly targetKeysAtStart?: number | undefined;
  readonly warnings: readonly string[];
  /** What a copy would be refused for; only in a dry run, which tells it instead. */
  readonly obstacles?: readonly Obstacle[];
}

/** Why a copy would be refused: `code` is for programs, the message says what to do. */
export interface Obstacle {
  readonly code: string;
  readonly message: string;
}

/** A migration that must not start as asked; `code` is for programs, the message says what to do. */
export class PlanRefusedError extends Error {
  constructor(
    readonly status: 400 | 409,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'PlanRefusedError';
  }
}

export interface DatabaseChoice {
  readonly database: number;
  readonly targetDatabase: number;
  readonly prefix: string;
  readonly missingOnTarget?: true;
}

/** Where the connections of both sides lead, as "host:port". */
export interface Addresses {
  readonly source: string;
  readonly target: string;
}

/** Takes what speaks against a migration but not against a dry run of it. */
export type Refuse = (refusal: PlanRefusedError) => void;

/** A dry run collects what others are refused for; for others `refuse` throws. */
export function refusalsOf({ mode }: Pick<MigrationRequest, 'mode'>): {
  readonly refuse: Refuse;
  readonly obstacles: readonly Obstacle[];
} {
  const obstacles: Obstacle[] = [];
  return {
    obstacles,
    refuse: (refusal) => {
      if (mode !== 'dry-run') throw refusal;
      obstacles.push({ code: refusal.code, message: refusal.message });
    },
  };
}

/** The databases that a request asks for, out of those that hold keys. */
export function chooseDatabases(request: MigrationRequest, present: readonly DatabaseKeys[]): DatabaseChoice[] {
  const { databases } = request;
  if (databases === 'all') return present.map(({ database }) => same(database));
  if (Array.isArray(databases)) return [...new Set(databases)].sort((a, b) => a - b).map(same);
  return Object.entries(databases)
    .map(([from, to]) =>
      typeof to === 'number'
        ? { database: Number(from), targetDatabase: to, prefix: '' }
        : { database: Number(from), targetDatabase: 0, prefix: to },
    )
    .sort((a, b) => a.database - b.database);
}

function same(database: number): DatabaseChoice {
  return { database, targetDatabase: database, prefix: '' };
}

/**
 * Decides how a migration will run from what both sides told.
 * @throws PlanRefusedError when the request and the servers do not fit together
 */
export function makePlan(input: {
  readonly request: MigrationRequest;
  readonly source: Plan['source'];
  readonly target: Plan['target'];
  readonly choices: readonly DatabaseChoice[];
  readonly sessions?: SessionCount;
  readonly addresses?: Addresses;
  /** What was found before. */
  readonly obstacles?: readonly Obstacle[];
}): Plan {
  const { request, source, target, choices } = input;
  const { refuse, obstacles } = refusalsOf(request);
  refuseWhatCannotBe({ ...input, refuse });
  const databases = choices.map((choice): DatabasePlan => {
    const keys = keysIn(source, choice.database);
    return { ...choice, keys, bits: source.abilities.cursorOrder ? bitsFor(keys) : 0 };
  });
  const targetKeysAtStart = keysInAll(target, new Set(choices.map((choice) => choice.targetDatabase)));
  if (request.onConflict === 'fail' && targetKeysAtStart === undefined) {
    refuse(
      new PlanRefusedError(
        409,
        'targetKeysUnknown',
        `onConflict is "fail" and the target "${request.target}" does not tell whether it has keys. Allow its user INFO keyspace or DBSIZE, or choose another onConflict.`,
      ),
    );
  }
  if (request.onConflict === 'fail' && targetKeysAtStart !== undefined && targetKeysAtStart > 0) {
    refuse(
      new PlanRefusedError(
        409,
        'targetNotEmpty',
        `onConflict is "fail" and the target "${request.target}" has ${targetKeysAtStart} keys in the databases to be written.`,
      ),
    );
  }
  const transport = chooseTransport({ source, target });
  const inPlace = isSameServer(request, source, target);
  const targetDatabases = looksForExtra(request) ? walkOver(target, databases) : undefined;
  if (request.deleteExtra && source.runId === '' && source.replicationId === undefined) {
    throw new PlanRefusedError(
      409,
      'sourceLooksWrong',
      `The source "${request.source}" tells neither a run id nor a replication id in INFO, so that a restart without its data would not be noticed: nothing can be deleted because it does not have it. Allow INFO, or leave "deleteExtra" out.`,
    );
  }
  if (request.mode === 'sync' && request.deleteExtra && !request.force) {
    const doubt = doubtOfSource({
      sourceKeys: sumOfKnown(databases.map(({ keys }) => keys)),
      targetKeys: targetKeysAtStart,
      shrinkPercent: request.limits.shrinkPercent,
    });
    if (doubt !== undefined) throw new PlanRefusedError(409, 'sourceLooksWrong', doubt);
  }
  return {
    request,
    source: withoutAddress(source),
    target: withoutAddress(target),
    databases,
    ...(targetDatabases === undefined ? {} : { targetDatabases }),
    inPlace,
    transport,
    ...(input.sessions === undefined ? {} : { sessions: input.sessions }),
    targetKeysAtStart,
    warnings: [
      ...(request.mode === 'compare' ? [] : warningsFor(source, target, transport)),
      ...warningsOfWhatIsNotTold(request, source, target, databases),
      ...warningsOfKeysThere(request, inPlace ? 0 : targetKeysAtStart),
      ...warningsOfNames(request, choices),
      ...warningsOfComparing(request),
      ...warningsOfConverting(request, inPlace),
    ],
    ...(request.mode === 'dry-run' ? { obstacles: [...(input.obstacles ?? []), ...obstacles] } : {}),
  };
}

/** Refuses what shows before either side is tried, where what is wrong would look like trouble. @throws PlanRefusedError */
export function refuseWhatCannotBe(input: {
  readonly request: MigrationRequest;
  readonly source: ServerFacts;
  readonly target: ServerFacts;
  readonly choices: readonly DatabaseChoice[];
  readonly addresses?: Addresses;
  /** For what a dry run may go on with. */
  readonly refuse: Refuse;
}): void {
  const { request, source, target, choices, refuse } = input;
  if (isSameServer(request, source, target)) refuseInPlace(request, choices);
  for (const [side, facts] of [
    [request.source, source],
    [request.target, target],
  ] as const) {
    if (facts.cluster) {
      throw new PlanRefusedError(
        400,
        'clusterNotSupported',
        `"${side}" runs in open-source cluster mode, which is not supported; use a non-clustered or single-endpoint (Enterprise policy) instance.`,
      );
    }
  }
  refuseUnlistedDatabases(input);
  if (
    replicateEachOther(source, target, input.addresses) &&
    !isSameServer(request, source, target) &&
    request.mode !== 'compare'
  ) {
    refuse(
      new PlanRefusedError(
        409,
        'sameReplication',
        `"${request.source}" and "${request.target}" replicate each other, directly or by others: what is written to the one comes into the other, and a copy would read what it has written. Cut the replication first (REPLICAOF NO ONE on the replica), or choose another server.`,
      ),
    );
  }
  if (isReplica(target) && request.mode !== 'compare') {
    refuse(
      new PlanRefusedError(400, 'targetIsReplica', `The target "${request.target}" is a replica and takes no writes.`),
    );
  }
  const taken = new Map<string, number>();
  for (const { database, targetDatabase, prefix } of choices) {
    const place = `${targetDatabase}/${prefix}`;
    const other = taken.get(place);
    if (other !== undefined) {
      throw new PlanRefusedError(
        400,
        'databasesCollide',
        `Databases ${other} and ${database} would both go into database ${targetDatabase} of the target under the same names; give them different prefixes.`,
      );
    }
    taken.set(place, database);
  }
}

function warningsFor(source: Plan['source'], target: Plan['target'], transport: Transport): string[] {
  const warnings: string[] = [];
  if (source.abilities.functions > 0) {
    warnings.push(`${source.abilities.functions} function libraries on the source are no keys and are not copied.`);
  }
  const { maxMemory = 0 } = target;
  const { usedMemory = 0 } = source;
  if (maxMemory > 0 && usedMemory > maxMemory) {
    warnings.push(
      `The target may be too small: the source uses ${mib(usedMemory)} MiB, the target is limited to ${mib(maxMemory)} MiB.`,
    );
  }
  if (maxMemory > 0 && target.evictionPolicy !== 'noeviction' && target.evictionPolicy !== 'unknown') {
    warnings.push(
      `The target evicts keys when it is full (maxmemory-policy ${target.evictionPolicy}); noeviction is safer while copying.`,
    );
  }
  if ((source.maxMemory ?? 0) > 0 && source.evictionPolicy !== target.evictionPolicy) {
    warnings.push(
      `The eviction policy is a server setting and is not carried over: source ${source.evictionPolicy}, target ${target.evictionPolicy}.`,
    );
  }
  if (isReplica(source)) warnings.push('The source is a replica: it may lag behind its master.');
  return [...warnings, ...warningsOfTransport({ source, target }, transport)];
}

/** Extra keys cannot be told where names were changed by rules, which do not run backwards. */
function looksForExtra({ mode, deleteExtra, rename }: MigrationRequest): boolean {
  return (mode === 'compare' || (mode === 'sync' && deleteExtra)) && rename.length === 0;
}

/** The target's databases with as many ranges as their keys now, or those that they should have, make sensible. */
function walkOver(target: Plan['target'], databases: readonly DatabasePlan[]): WalkedDatabase[] {
  return [...new Set(databases.map(({ targetDatabase }) => targetDatabase))].map((database) => {
    const keys = keysIn(target, database);
    return { database, keys, bits: target.abilities.cursorOrder === true ? bitsFor(keys) : 0 };
  });
}

/** A sync and a comparison are there for keys on both sides. */
function warningsOfKeysThere({ mode }: MigrationRequest, targetKeysAtStart: number | undefined): string[] {
  if (targetKeysAtStart === 0 || mode === 'sync' || mode === 'compare') return [];
  if (targetKeysAtStart === undefined) return ['Whether the target has keys already is not known: it does not tell.'];
  return [`The target has ${targetKeysAtStart} keys already.`];
}

function warningsOfComparing({ mode, verify, rename, convert }: MigrationRequest): string[] {
  const warnings: string[] = [];
  const compares = mode === 'compare' || verify === 'quick' || verify === 'full';
  if (mode === 'compare' && rename.length > 0) {
    warnings.push('Extra keys on the target are not looked for: names that "rename" made cannot be led back.');
  }
  if (compares && convert.length > 0) {
    warnings.push('Converted sessions are only looked for on the target; what they hold is not compared.');
  }
  return warnings;
}

function warningsOfConverting({ convert }: MigrationRequest, inPlace: boolean): string[] {
  if (inPlace || convert.every(({ keepOld }) => keepOld)) return [];
  return ['"keepOld": false is for a conversion in place; keys of the source are never deleted.'];
}

function isSameServer(request: MigrationRequest, source: ServerFacts, target: ServerFacts): boolean {
  const sameName = request.source.toUpperCase() === request.target.toUpperCase();
  return sameName || (source.runId !== '' && source.runId === target.runId);
}

/**
 * A replica has its master's replication id, through any number of others between them. A replica that has never reached
 * its master has one of its own, so that the address is looked at as well, which may be another on its side.
 * Two masters with one id are no such pair if both tell who they are: some proxies give every server the same id.
 */
/** Hosts stay in the settings: the plan is kept in the ledger. */
function withoutAddress<T extends ServerFacts>(facts: T): T {
  return { ...facts, masterAddress: undefined };
}

function replicateEachOther(source: ServerFacts, target: ServerFacts, addresses?: Addresses): boolean {
  if (addresses !== undefined) {
    if (source.masterAddress === addresses.target || target.masterAddress === addresses.source) return true;
  }
  const { replicationId } = source;
  if (replicationId === undefined || replicationId !== target.replicationId) return false;
  const twoMasters = source.role === 'master' && target.role === 'master';
  return !(twoMasters && source.runId !== '' && target.runId !== '');
}

/** "All" cannot be said to a server that lists no databases and lets nobody try which there are. */
function refuseUnlistedDatabases({
  request,
  source,
  target,
}: {
  readonly request: MigrationRequest;
  readonly source: ServerFacts;
  readonly target: ServerFacts;
}): void {
  if (request.databases !== 'all') return;
  const walked = looksForExtra(request) ? [source, target] : [source];
  for (const facts of walked) {
    if (facts.moreDatabases !== true) continue;
    const name = facts === source ? request.source : request.target;
    throw new PlanRefusedError(
      400,
      'databasesUnknown',
      `"${name}" does not tell which databases it has: its INFO has no Keyspace section, and SELECT does not show where they end. Name them, for example "databases": [0].`,
    );
  }
}

/** What cannot be noticed since a side does not tell it. */
function warningsOfWhatIsNotTold(
  request: MigrationRequest,
  source: ServerFacts,
  target: ServerFacts,
  databases: readonly DatabasePlan[],
): string[] {
  const warnings: string[] = [];
  const untold = databases.filter(({ keys }) => keys === undefined);
  if (untold.length > 0) {
    warnings.push(
      `The source does not tell how many keys it has in ${untold.length === 1 ? 'database' : 'databases'} ${untold.map(({ database }) => database).join(', ')}: that all were met cannot be checked against a number, and each is walked in one piece.`,
    );
  }
  for (const [side, { runId }] of Object.entries({ source, target })) {
    if (runId === '') warnings.push(`The ${side} tells no run id: that it restarts or fails over is not noticed.`);
  }
  if (target.evictedKeys === undefined && request.mode !== 'compare') {
    warnings.push('The target does not tell how many keys it has evicted: that it evicts some is not noticed.');
  }
  return warnings;
}

/** On one server only a conversion makes sense, under the names and in the databases that keys have. */
function refuseInPlace(request: MigrationRequest, choices: readonly DatabaseChoice[]): void {
  if (request.convert.length === 0 || request.mode !== 'copy') {
    throw new PlanRefusedError(
      409,
      'sameServer',
      `The connections "${request.source}" and "${request.target}" lead to the same Redis server, and there is no ${request.mode === 'copy' ? 'conversion to be done in place' : 'other side'}.`,
    );
  }
  const moves = choices.some(({ database, targetDatabase, prefix }) => database !== targetDatabase || prefix !== '');
  if (moves || request.rename.length > 0 || request.onConflict === 'fail') {
    throw new PlanRefusedError(
      400,
      'inPlaceOnly',
      'Source and target are the same server: a conversion in place takes no rename, no other databases and no onConflict "fail".',
    );
  }
}

/** Keys that get the same name on the target cannot both be there: the one that is written last stays. */
function warningsOfNames(request: MigrationRequest, choices: readonly DatabaseChoice[]): string[] {
  const warnings: string[] = [];
  if (request.rename.length > 0) {
    warnings.push('Keys that "rename" gives the same name overwrite each other on the target; this is not looked for.');
  }
  for (const { database, targetDatabase, prefix } of choices) {
    const other = choices.find(
      (choice) =>
        choice.database !== database && choice.targetDatabase === targetDatabase && choice.prefix.startsWith(prefix),
    );
    if (other !== undefined) {
      warnings.push(
        `Keys of database ${database} whose names begin with "${other.prefix.slice(prefix.length)}" may overwrite keys of database ${other.database} on the target.`,
      );
    }
  }
  return warnings;
}

function mib(bytes: number): string {
  return (bytes / 1_048_576).toFixed(0);
}
