import { sumOfKnown, type DatabaseKeys } from './database-keys';
import type { ServerFacts } from './probe';

/** Between the run ids of a cluster's masters, which stand for it together. */
const AND = '+';

/** The processes that a run id stands for; none where it is empty. */
export function processesOf(runId: string): readonly string[] {
  return runId === '' ? [] : runId.split(AND);
}

/** The run id that stands for processes together; empty where one has none. */
export function togetherOf(runIds: readonly string[]): string {
  return runIds.includes('') ? '' : [...runIds].sort().join(AND);
}

/** So much of a replication id stands for it: large clusters have hundreds, which are kept. */
const PART_OF_ID = 10;

/** Of each process, in the order of the run ids together, a part of what it tells, empty where it tells none; undefined where there is no such order. */
function eachOf(all: readonly ServerFacts[], of: (facts: ServerFacts) => string | undefined): string | undefined {
  if (all.some(({ runId }) => runId === '')) return undefined;
  const told = [...all]
    .sort((a, b) => (a.runId < b.runId ? -1 : 1))
    .map((facts) => (of(facts) ?? '').slice(0, PART_OF_ID));
  return told.every((id) => id === '') ? undefined : told.join(AND);
}

/** What is told of one process of several that stand for a side together, by its place; or of the only one. */
export function partOf(told: string | undefined, place: number): string | undefined {
  const part = told?.split(AND)[place];
  return part === '' ? undefined : part;
}

/**
 * What the masters of a cluster tell, as of one server: numbers are sums, and unknown where one node does not tell its own. The
 * version is the lowest. The run ids together stand for the cluster: after a failover they are others.
 * @throws RangeError for no server at all
 */
export function mergeFacts(all: readonly ServerFacts[]): ServerFacts {
  const [first, ...others] = [...all].sort((a, b) => compareVersions(a.version, b.version));
  if (first === undefined) throw new RangeError('There are no facts to merge.');
  if (others.length === 0) return first;
  const sum = (of: (facts: ServerFacts) => number | undefined) => sumOfKnown(all.map(of));
  return {
    version: first.version,
    software: first.software,
    compatibleVersion: first.compatibleVersion,
    cluster: true,
    role: all.find(({ role }) => role !== 'master')?.role ?? 'master',
    runId: togetherOf(all.map(({ runId }) => runId)),
    replicationId: eachOf(all, ({ replicationId }) => replicationId),
    formerReplicationId: eachOf(all, ({ formerReplicationId }) => formerReplicationId),
    usedMemory: sum(({ usedMemory }) => usedMemory),
    // Without a limit on one node there is none on the whole.
    maxMemory: all.some(({ maxMemory }) => maxMemory === 0) ? 0 : sum(({ maxMemory }) => maxMemory),
    evictionPolicy: all.find(({ evictionPolicy }) => evictionPolicy !== 'noeviction')?.evictionPolicy ?? 'noeviction',
    evictedKeys: sum(({ evictedKeys }) => evictedKeys),
    databases: mergeDatabases(all),
    ...(all.some(({ moreDatabases }) => moreDatabases === true) ? { moreDatabases: true as const } : {}),
    loading: all.some(({ loading }) => loading),
    changes: sum(({ changes }) => changes),
    // Another one as soon as any node has saved.
    lastSave: sum(({ lastSave }) => lastSave),
    expiredKeys: sum(({ expiredKeys }) => expiredKeys),
    commandsProcessed: sum(({ commandsProcessed }) => commandsProcessed),
    commandCalls: mergeCalls(all),
  };
}

function mergeDatabases(all: readonly ServerFacts[]): DatabaseKeys[] {
  const numbers = new Set(all.flatMap(({ databases }) => databases.map(({ database }) => database)));
  const line = (facts: ServerFacts, database: number): DatabaseKeys =>
    facts.databases.find((each) => each.database === database) ?? { database, keys: 0, expires: 0 };
  return [...numbers]
    .sort((a, b) => a - b)
    .map((database) => ({
      database,
      keys: sumOfKnown(all.map((facts) => line(facts, database).keys)),
      expires: sumOfKnown(all.map((facts) => line(facts, database).expires)),
    }));
}

function mergeCalls(all: readonly ServerFacts[]): Readonly<Record<string, number>> | undefined {
  const calls: Record<string, number> = {};
  for (const { commandCalls } of all) {
    if (commandCalls === undefined) return undefined;
    for (const [name, count] of Object.entries(commandCalls)) calls[name] = (calls[name] ?? 0) + count;
  }
  return calls;
}

/** Of versions such as "6.0.16"; what is no number in one counts as 0. */
function compareVersions(a: string, b: string): number {
  const [one, other] = [a, b].map((version) => version.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (let i = 0; i < 3; i++) {
    const difference = (one?.[i] ?? 0) - (other?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
