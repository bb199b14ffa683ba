import type { SideName } from '../migration/phases';
import type { Plan } from '../migration/plan';
import type { TriedFacts } from '../migration/plan-facts';
import { rangesText } from '../payload/version-ranges';
import type { Connections } from '../redis/connections';
import { sumOfKnown } from '../redis/database-keys';
import type { FeedKind } from '../redis/feed-connection';
import { isReplica, type ServerFacts } from '../redis/probe';
import type { ReachedNode } from '../redis/cluster';
import type { ClockOffset } from '../transfer/clock-offset';
import type { Used } from './diagnosis';

/** What one side has told by itself. */
export interface SideTold {
  readonly facts: ServerFacts;
  /** Of a cluster; none of a server. */
  readonly nodes: readonly ReachedNode[];
  readonly way: ReturnType<Connections['wayOf']>;
  /** Clients that it takes beside those that are there. */
  readonly room: number | undefined;
}

const SIGNING_IN = { entra: 'Entra ID', password: 'a password', not: 'no password' } as const;

/** What of one side is used, whatever the other one is. */
export function usedOfSide(side: SideName, { facts, nodes, way, room }: SideTold): Used[] {
  const { software, version, databases, moreDatabases } = facts;
  const kind =
    nodes.length > 0
      ? `a cluster of ${nodes.length === 1 ? 'one master' : `${nodes.length} masters`}`
      : isReplica(facts)
        ? 'a replica'
        : 'one server';
  const keys = databases.map((each) => `${each.keys?.toLocaleString('en') ?? 'an unknown number'} in ${each.database}`);
  const used = (about: Used['about'], says: string): Used => ({ side, about, says });
  return [
    used('server', `${software === 'valkey' ? 'Valkey' : 'Redis'} ${version}, ${kind}.`),
    used(
      'connection',
      `RESP2 ${way.tls ? 'over TLS, the certificate verified' : 'without TLS'}, signed in with ${SIGNING_IN[way.signsIn]}.`,
    ),
    ...nodes.map(({ address, via, first, slots }) =>
      used(
        'nodes',
        `${address} has ${slots.toLocaleString('en')} slots from ${first}, reached ${via === undefined ? 'as it announces itself' : `at ${via}`}.`,
      ),
    ),
    used(
      'clients',
      room === undefined
        ? 'It does not tell how many clients it takes.'
        : `It takes ${room.toLocaleString('en')} more clients${nodes.length > 1 ? ', at the fullest node' : ''}.`,
    ),
    used(
      'databases',
      `Keys by database: ${keys.length === 0 ? 'none' : keys.join(', ')}${moreDatabases === true ? '; there may be others, which it does not tell' : ''}.`,
    ),
    used('memory', memoryOf(facts)),
  ];
}

function memoryOf({ usedMemory, maxMemory, evictionPolicy, databases }: ServerFacts): string {
  const keys = sumOfKnown(databases.map((each) => each.keys));
  const used = usedMemory === undefined ? 'an unknown amount' : mib(usedMemory);
  const limit =
    maxMemory === undefined ? 'an unknown limit' : maxMemory === 0 ? 'no limit' : `a limit of ${mib(maxMemory)}`;
  return `${used} used${keys === undefined ? '' : ` by ${keys.toLocaleString('en')} keys`}, ${limit}, eviction ${evictionPolicy}.`;
}

/** How keys would go from one side to the other. */
export function usedForKeys(plan: Plan, { targetMinusSource, uncertaintyMs }: ClockOffset): Used[] {
  const { source, target, databases, transport } = plan;
  const { abilities: from } = source;
  const { abilities: into } = target;
  const ranges = databases.reduce((sum, { bits }) => sum + 2 ** bits, 0);
  const written =
    from.payloadVersion === undefined ? 'a version that no key tells yet' : `version ${from.payloadVersion}`;
  return [
    {
      side: 'source',
      about: 'scripts',
      says:
        from.scripts || (source.cluster && from.nodeWalks === undefined)
          ? 'Lua scripts read a page of keys with their values in one call.'
          : 'No Lua scripts: keys are read by single commands.',
    },
    {
      side: 'source',
      about: 'reading',
      says: `${readingOf(plan)}; ${ranges.toLocaleString('en')} ${ranges === 1 ? 'range' : 'ranges'}${from.memoryUsage ? ', the size of keys is known before they are read' : ''}.`,
    },
    {
      side: 'target',
      about: 'scripts',
      says: into.scripts
        ? 'Lua scripts look for many keys in one call.'
        : target.cluster
          ? `Keys are looked for by commands${into.nodeWalks === undefined ? ', and compared by Lua scripts' : ''}, at the node that owns each.`
          : 'No Lua scripts: keys are looked for by single commands.',
    },
    {
      side: 'target',
      about: 'writing',
      says:
        transport === 'payload'
          ? `DUMP and RESTORE: the source writes ${written}, the target takes ${rangesText(into.payloadVersions ?? [])}.`
          : 'Every key by ordinary commands, into a temporary key that is renamed.',
    },
    {
      about: 'clocks',
      says: `The target's clock is ${Math.abs(targetMinusSource).toFixed(1)} ms ${targetMinusSource < 0 ? 'behind' : 'ahead of'} the source's, known to ${uncertaintyMs.toFixed(1)} ms.`,
    },
  ];
}

function readingOf({ source: { cluster, abilities } }: Plan): string {
  if (abilities.nodeWalks !== undefined) {
    return 'Each master by SCAN with cursors of its own, of which the keys of its slots are taken; begun anew where slots move';
  }
  if (cluster) return 'Slot by slot, at the node that owns each';
  return abilities.cursorOrder
    ? 'SCAN, whose cursors can be divided'
    : 'SCAN with cursors of its own: each database in one walk, begun anew where the server changes';
}

const FEEDS: Readonly<Record<FeedKind, string>> = {
  tracking: 'CLIENT TRACKING (RESP3)',
  redirect: 'CLIENT TRACKING with REDIRECT',
  notifications: 'keyspace notifications',
};

/** How the source would tell what changes, in mode live. */
export function usedForChanges({ feeds = [] }: Pick<TriedFacts, 'feeds'>): Used[] {
  return feeds.map((kind) => ({ side: 'source', about: 'changes', says: `In mode live by ${FEEDS[kind]}.` }));
}

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
