import { keysIn, sumOfKnown } from '../redis/database-keys';
import { isReplica } from '../redis/probe';
import type { CommandName } from '../redis/rights';
import { looksForExtra, targetKeysIn } from './choose-databases';
import { severalClusters, severalProcesses } from './course';
import { sideNames, type SideName } from './phases';
import type { MemoryFacts, RightFacts, ToldFacts, TriedFacts } from './plan-facts';
import type { RefusalCode } from './refusal-codes';
import type { MigrationRequest } from './request';
import { aclOf, neededRights, neededRightsWhenTried, rightsOfScripts, type LackingRight } from './rights';
import { isSameServer, replicateEachOther } from './same-server';
import { MOST_NOTED } from './file-facts';
import { fileOf, nameOfSide } from './side-spec';
import { doubtOfSource } from './source-doubt';

/** What speaks against a migration. */
export interface Refusal {
  readonly code: RefusalCode;
  /** The field of the request that it is about. */
  readonly path: keyof MigrationRequest;
  /** Says what to do. */
  readonly message: string;
  /** A dry run goes on and tells it. */
  readonly inDryRun: 'told' | 'refused';
}

/** A rule tells, by the facts that it needs, for what reasons it refuses; mostly none or one. */
export interface Rule<Facts> extends Omit<Refusal, 'message'> {
  readonly reasons: (facts: Facts) => readonly string[];
}

function when(holds: boolean, reason: () => string): string[] {
  return holds ? [reason()] : [];
}

const hasWorkInPlace = ({ mode, convert }: MigrationRequest) => mode === 'copy' && convert.length > 0;

/** What is wrong with these would look like trouble if either side was tried. */
export const RULES_OF_TOLD: readonly Rule<ToldFacts>[] = [
  {
    code: 'sameServer',
    path: 'target',
    inDryRun: 'refused',
    reasons: (facts) =>
      when(isSameServer(facts) && !hasWorkInPlace(facts.request), () => {
        const { mode } = facts.request;
        const [source, target] = [facts.request.source, facts.request.target].map(nameOfSide);
        return `The connections "${source}" and "${target}" lead to the same Redis server, and there is no ${mode === 'copy' ? 'conversion to be done in place' : 'other side'}.`;
      }),
  },
  {
    code: 'inPlaceOnly',
    path: 'target',
    inDryRun: 'refused',
    reasons: (facts) => {
      const { request, choices } = facts;
      const moves = choices.some(
        ({ database, targetDatabase, prefix }) => database !== targetDatabase || prefix !== '',
      );
      const takesMore = moves || request.rename.length > 0 || request.onConflict === 'fail';
      return when(
        isSameServer(facts) && hasWorkInPlace(request) && takesMore,
        () =>
          'Source and target are the same server: a conversion in place takes no rename, no other databases and no onConflict "fail".',
      );
    },
  },
  ...sideNames.map((side): Rule<ToldFacts> => ({
    code: 'severalServers',
    path: side,
    inDryRun: 'refused',
    reasons: ({ request, [side]: { cluster }, processes: { [side]: met } = { source: [], target: [] } }) =>
      when(met.length > 1, () => (cluster ? severalClusters : severalProcesses)(nameOfSide(request[side]), met.length)),
  })),
  {
    code: 'clusterNotSupported',
    path: 'deleteExtra',
    inDryRun: 'refused',
    reasons: ({ request, source }) =>
      when(
        source.cluster && request.deleteExtra && request.mode !== 'live',
        () =>
          `"${nameOfSide(request.source)}" is a cluster: a node of it that restarted empty would look as if its keys were to be deleted from the target. Leave out "deleteExtra".`,
      ),
  },
  // "All" cannot be said to a server that lists no databases and lets nobody try which there are.
  ...sideNames.map((side): Rule<ToldFacts> => ({
    code: 'databasesUnknown',
    path: 'databases',
    inDryRun: 'refused',
    reasons: ({ request, [side]: { moreDatabases } }) =>
      when(
        request.databases === 'all' && moreDatabases === true && (side === 'source' || looksForExtra(request)),
        () =>
          `"${nameOfSide(request[side])}" does not tell which databases it has: its INFO has no Keyspace section, and SELECT does not show where they end. Name them, for example "databases": [0].`,
      ),
  })),
  {
    code: 'sameReplication',
    path: 'target',
    inDryRun: 'told',
    reasons: (facts) =>
      when(replicateEachOther(facts) && facts.request.mode !== 'compare', () => {
        const [source, target] = [facts.request.source, facts.request.target].map(nameOfSide);
        return `"${source}" and "${target}" replicate each other, directly or by others: what is written to the one comes into the other, and a copy would read what it has written. Cut the replication first (REPLICAOF NO ONE on the replica), or choose another server.`;
      }),
  },
  {
    code: 'targetIsReplica',
    path: 'target',
    inDryRun: 'told',
    reasons: ({ request, target }) =>
      when(
        isReplica(target) && request.mode !== 'compare',
        () => `The target "${nameOfSide(request.target)}" is a replica and takes no writes.`,
      ),
  },
  {
    code: 'databasesCollide',
    path: 'databases',
    inDryRun: 'refused',
    reasons: ({ choices }) =>
      choices.flatMap(({ database, targetDatabase, prefix }, place) => {
        const other = choices
          .slice(0, place)
          .find((one) => one.targetDatabase === targetDatabase && one.prefix === prefix);
        return other === undefined
          ? []
          : [
              `Databases ${other.database} and ${database} would both go into database ${targetDatabase} of the target under the same names; give them different prefixes.`,
            ];
      }),
  },
  {
    code: 'databasesCollide',
    path: 'databases',
    inDryRun: 'refused',
    reasons: ({ request, choices }) =>
      choices.flatMap(({ database, targetDatabase, prefix }) => {
        const other = choices.find(
          (one) => one.database !== database && one.targetDatabase === targetDatabase && one.prefix.startsWith(prefix),
        );
        const harm = harmOfSameNames(request);
        return when(
          harm !== undefined && other !== undefined,
          () =>
            `Keys of databases ${database} and ${other?.database ?? 0} might get the same names, ${harm}; give them prefixes of which none begins with the other, or other databases.`,
        );
      }),
  },
];

function harmOfSameNames({ mode, target }: MigrationRequest): string | undefined {
  // A key that stands in a file twice makes every server refuse it.
  if (fileOf(target) !== undefined) return 'which would make the file useless';
  return mode === 'live' ? 'and one that is deleted would take the other with it' : undefined;
}

/** Commands that are lacking: refused to the user, and not there. */
function commandsOf(rights: readonly LackingRight[]): Readonly<Record<'refused' | 'unknown', readonly CommandName[]>> {
  const unknown = new Set(rights.flatMap((right) => right.unknown));
  const refused = new Set(rights.flatMap(({ lacking }) => lacking).filter((command) => !unknown.has(command)));
  return { refused: [...refused], unknown: [...unknown] };
}

function reasonOfRights(side: SideName, { request }: ToldFacts, rights: readonly LackingRight[]): string[] {
  const { refused, unknown } = commandsOf(rights);
  const name = nameOfSide(request[side]);
  return [
    ...when(
      refused.length > 0,
      () =>
        `The user of the ${side} "${name}" may not run ${refused.join(', ')}; allow it (ACL SETUSER … ${refused.map(aclOf).join(' ')}). docs/security.md lists the rights.`,
    ),
    ...when(
      unknown.length > 0,
      () =>
        `The ${side} "${name}" does not know ${unknown.join(', ')}, without which this cannot be done: it is older than that, or no Redis, or they are renamed or disabled there.`,
    ),
  ];
}

/** What is wrong with these would look like a server that can do less. */
export const RULES_OF_RIGHTS: readonly Rule<RightFacts>[] = [
  ...(['refused', 'told'] as const).flatMap((inDryRun) =>
    sideNames.map((side): Rule<RightFacts> => ({
      code: 'rightsMissing',
      path: side,
      inDryRun,
      reasons: (facts) =>
        reasonOfRights(
          side,
          facts,
          neededRights(side, facts).filter((right) => (right.inDryRun === true) === (inDryRun === 'refused')),
        ),
    })),
  ),
  ...sideNames.map((side): Rule<RightFacts> => ({
    code: 'rightsMissing',
    path: side,
    inDryRun: side === 'source' ? 'refused' : 'told',
    reasons: ({ request, keysRefused: { [side]: globs } }) =>
      when(
        globs.length > 0,
        () =>
          `The user of the ${side} "${nameOfSide(request[side])}" may not touch keys that are called like ${globs.join(', ')}; allow them (ACL SETUSER … ${globs.map((glob) => `~${glob}`).join(' ')}), or choose with "select" only those that it may.`,
      ),
  })),
];

/** A server cuts who does not read what it tells at 32 MiB; two feeds may be open while one replaces the other. Bytes. */
const ROOM_TO_TELL = 2 * 32 * 1_048_576;

/** Whether what a server keeps for a slow reader of its changes would make it evict keys (redis/redis#8069). */
function mayEvictWhatItTells({ maxMemory = 0, usedMemory = 0, evictionPolicy }: MemoryFacts): boolean {
  return maxMemory > 0 && evictionPolicy !== 'noeviction' && maxMemory - usedMemory < ROOM_TO_TELL;
}

export const RULES_OF_TRIED: readonly Rule<TriedFacts>[] = [
  {
    code: 'fileNotPossible',
    path: 'target',
    inDryRun: 'refused',
    reasons: ({ request, source }) => {
      if (fileOf(request.target) === undefined) return [];
      const name = nameOfSide(request.source);
      return [
        ...when(
          !source.abilities.dump,
          () => `The user of "${name}" may not run DUMP, which gives what stands in an RDB file: allow it.`,
        ),
        ...when(
          !source.abilities.cursorOrder || source.abilities.nodeWalks !== undefined,
          () =>
            `"${name}" has SCAN cursors of its own and may give keys twice, and a key that stands in a file twice makes it useless: it cannot be backed up into a file.`,
        ),
      ];
    },
  },
  {
    code: 'fileNotPossible',
    path: 'convert',
    inDryRun: 'refused',
    reasons: ({ request, source, choices }) =>
      choices.flatMap(({ database }) => {
        const { noted = 0 } = source.file?.databases.find((each) => each.database === database) ?? {};
        return when(
          noted > MOST_NOTED,
          () =>
            `Database ${database} of "${nameOfSide(request.source)}" has ${noted} keys that belong to what is to be converted, more than can be kept in mind (${MOST_NOTED}). Restore it without "convert", and convert on the server then ("source" and "target" the same).`,
        );
      }),
  },
  {
    code: 'noSuchDatabase',
    path: 'databases',
    inDryRun: 'refused',
    reasons: ({ request, missing }) =>
      missing.source.map((database) => `The source "${nameOfSide(request.source)}" has no database ${database}.`),
  },
  {
    code: 'noSuchDatabase',
    path: 'databases',
    inDryRun: 'told',
    reasons: ({ request, missing }) =>
      missing.target.map(
        (database) =>
          `The target "${nameOfSide(request.target)}" has no database ${database}. Map databases to others or to key prefixes, for example "databases": {"0": 0, "${database}": "db${database}:"}.`,
      ),
  },
  ...sideNames.map((side): Rule<TriedFacts> => ({
    code: 'rightsMissing',
    path: side,
    inDryRun: 'told',
    reasons: (facts) => reasonOfRights(side, facts, neededRightsWhenTried(side, facts)),
  })),
  // What is converted is read, and written, by one script, so that no state of it is a mixture.
  ...sideNames.map((side): Rule<TriedFacts> => ({
    code: 'scriptsNeeded',
    path: 'convert',
    inDryRun: 'refused',
    reasons: (facts) => {
      const { request, scriptsRefused } = facts;
      const { [side]: refused } = scriptsRefused;
      const lacking = commandsOf(rightsOfScripts(side, facts));
      const named = [
        ...when(lacking.refused.length > 0, () => ` Its user may not run ${lacking.refused.join(', ')}.`),
        ...when(lacking.unknown.length > 0, () => ` It does not know ${lacking.unknown.join(', ')}.`),
      ].join('');
      return when(
        refused !== undefined,
        () =>
          `A conversion reads and writes by Lua scripts, and the ${side} "${nameOfSide(request[side])}" refuses that. ${refused ?? ''}${named} Allow the user @scripting and what the scripts call, or leave "convert" out.`,
      );
    },
  })),
  {
    code: 'targetKeysUnknown',
    path: 'onConflict',
    inDryRun: 'told',
    reasons: (facts) =>
      when(
        facts.request.onConflict === 'fail' && targetKeysIn(facts) === undefined,
        () =>
          `onConflict is "fail" and the target "${nameOfSide(facts.request.target)}" does not tell whether it has keys. Allow its user INFO keyspace or DBSIZE, or choose another onConflict.`,
      ),
  },
  {
    code: 'targetNotEmpty',
    path: 'onConflict',
    inDryRun: 'told',
    reasons: (facts) => {
      const keys = targetKeysIn(facts) ?? 0;
      return when(
        facts.request.onConflict === 'fail' && keys > 0,
        () =>
          `onConflict is "fail" and the target "${nameOfSide(facts.request.target)}" has ${keys} keys in the databases to be written.`,
      );
    },
  },
  {
    code: 'targetNotEmpty',
    path: 'deleteExtra',
    inDryRun: 'refused',
    reasons: (facts) => {
      const { request } = facts;
      const keys = targetKeysIn(facts);
      return when(
        request.mode === 'live' && !request.deleteExtra && keys !== 0,
        () =>
          `The target "${nameOfSide(request.target)}" has ${keys ?? 'an unknown number of'} keys in the databases to be written. In mode live it becomes what the source is: choose an empty one, or ask for "deleteExtra".`,
      );
    },
  },
  {
    code: 'cannotFollow',
    path: 'source',
    inDryRun: 'refused',
    reasons: ({ request, source, feedRefused, sourceServers = [source] }) =>
      request.mode !== 'live'
        ? []
        : [
            ...when(feedRefused !== undefined, () => feedRefused ?? ''),
            ...when(
              source.runId === '' || source.commandCalls === undefined || source.changes === undefined,
              () =>
                `"${nameOfSide(request.source)}" does not tell all that a cut-over is proved by: its run id, rdb_changes_since_last_save, and INFO commandstats. Allow INFO.`,
            ),
            ...when(
              sourceServers.some(mayEvictWhatItTells) && !request.force,
              () =>
                `"${nameOfSide(request.source)}" evicts keys when its memory is full, and has less than ${ROOM_TO_TELL / 1_048_576} MiB left: what it has to tell takes memory too, and keys would be evicted for it. Give it more memory, or ask with "force": true.`,
            ),
          ],
  },
  {
    code: 'sourceLooksWrong',
    path: 'deleteExtra',
    inDryRun: 'refused',
    reasons: ({ request, source }) =>
      when(
        request.deleteExtra && source.runId === '' && source.replicationId === undefined,
        () =>
          `The source "${nameOfSide(request.source)}" tells neither a run id nor a replication id in INFO, so that a restart without its data would not be noticed: nothing can be deleted because it does not have it. Allow INFO, or leave "deleteExtra" out.`,
      ),
  },
  {
    code: 'sourceLooksWrong',
    path: 'deleteExtra',
    inDryRun: 'refused',
    reasons: (facts) => {
      const { request, source, choices, missing } = facts;
      // A database that is not there would look empty.
      if (!request.deleteExtra || request.force || missing.source.length > 0) return [];
      const doubt = doubtOfSource({
        sourceKeys: sumOfKnown(choices.map(({ database }) => keysIn(source, database))),
        targetKeys: targetKeysIn(facts),
        shrinkPercent: request.limits.shrinkPercent,
      });
      return doubt === undefined ? [] : [doubt];
    },
  },
  {
    code: 'sourceLooksWrong',
    path: 'deleteExtra',
    inDryRun: 'refused',
    reasons: ({ request, sourceServers = [] }) =>
      when(
        request.deleteExtra && !request.force && hasEmptyMaster(sourceServers),
        () =>
          `A master of the source "${nameOfSide(request.source)}" is empty and the others are not, as one that restarted without its data: what it had would be deleted from the target. If that is right, ask again with "force": true.`,
      ),
  },
];

/** With fewer keys a master each, some may have none by chance. */
const LEAST_OF_MASTER = 100;

function hasEmptyMaster(servers: NonNullable<TriedFacts['sourceServers']>): boolean {
  const keys = servers.map((server) => sumOfKnown(server.databases.map((database) => database.keys)) ?? 0);
  const all = keys.reduce((sum, each) => sum + each, 0);
  return servers.length > 1 && all / servers.length >= LEAST_OF_MASTER && keys.includes(0);
}
