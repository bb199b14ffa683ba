import { bitsFor, bitsForNodes } from '../keyspace/split';
import { keysIn, sumOfKnown } from '../redis/database-keys';
import type { ServerFacts } from '../redis/probe';
import { looksForExtra, targetKeysIn } from './choose-databases';
import { isUnread, namesFit } from './file-facts';
import { makePhases, readPhase } from './phases';
import type { DatabasePlan, Plan, WalkedDatabase } from './plan';
import type { PlanFacts } from './plan-facts';
import { refusalsOf } from './plan-refusals';
import { warningsOf } from './plan-warnings';
import type { Refusal } from './refusal-rules';
import { isSameServer } from './same-server';
import { restoresLibraries } from './libraries';
import { fileOf, isServer } from './side-spec';
import { chooseTransport } from './transport';

/** How a migration runs, and what speaks against it. */
export interface Decision {
  readonly plan: Plan;
  /** The most useful first. Those that a dry run tells stand in its plan, as obstacles. */
  readonly refusals: readonly Refusal[];
}

/** Decides how a migration will run from what both sides told. */
export function decidePlan(facts: PlanFacts): Decision {
  const { request, source, target, choices, missing, conversions = [] } = facts;
  const refusals = refusalsOf(facts);
  // Of a file only its reading is planned before it is read.
  const known = isUnread(facts) ? [] : choices;
  const databases = known.map((choice): DatabasePlan => {
    const keys = keysIn(source, choice.database);
    return {
      ...choice,
      keys,
      bits: bitsOf(source, choice.database, keys),
      ...(missing.target.includes(choice.targetDatabase) ? { missingOnTarget: true } : {}),
    };
  });
  const hasLibraries = restoresLibraries(facts);
  // A file is put together, and libraries are loaded, in one piece of work.
  const isWhole = fileOf(request.target) !== undefined || hasLibraries;
  const whole: WalkedDatabase[] | undefined = isWhole ? [{ database: 0, keys: 1, bits: 0 }] : undefined;
  const targetDatabases =
    looksForExtra(request) && namesFit(source.file, choices) ? walkOver(target, databases) : whole;
  const decided = {
    databases,
    inPlace: isSameServer(facts),
    transport: chooseTransport({ source, target }),
    targetKeysAtStart: keysAtStart(facts),
  };
  const plan = {
    request,
    source: withoutAddress(source),
    target: withoutAddress(target),
    ...decided,
    ...(targetDatabases === undefined ? {} : { targetDatabases }),
    ...(facts.feeds === undefined ? {} : { feeds: facts.feeds }),
    phases: [
      ...(source.file === undefined ? [] : [readPhase]),
      ...makePhases(request, targetDatabases !== undefined, hasLibraries),
    ],
    conversions,
    warnings: isUnread(facts) ? [] : warningsOf({ ...facts, ...decided }),
    ...(request.mode === 'dry-run' ? { obstacles: refusals.map(({ code, message }) => ({ code, message })) } : {}),
  };
  return { plan, refusals };
}

/** Keys of the target; of a file that is yet to be written, none. */
function keysAtStart(facts: PlanFacts): number | undefined {
  if (isUnread(facts)) return undefined;
  return isServer(facts.request.target) ? targetKeysIn(facts) : 0;
}

function bitsOf(source: Plan['source'], database: number, keys: number | undefined): number {
  const { file } = source;
  if (file !== undefined) return file.databases.find((each) => each.database === database)?.bits ?? 0;
  return bitsOfServer(source, keys);
}

/** Into how many ranges a server's database is split, or a cluster: 2^bits. */
function bitsOfServer(server: Plan['source'] | Plan['target'], keys: number | undefined): number {
  const { cursorOrder, nodeWalks } = server.abilities;
  if (nodeWalks !== undefined) return bitsForNodes(nodeWalks);
  return cursorOrder === true ? bitsFor(keys, bytesOf(server, keys)) : 0;
}

/** The target's databases with as many ranges as their keys now, or those that they should have, make sensible. */
function walkOver(target: Plan['target'], databases: readonly DatabasePlan[]): WalkedDatabase[] {
  return [...new Set(databases.map(({ targetDatabase }) => targetDatabase))].map((database) => {
    const keys = keysIn(target, database);
    return { database, keys, bits: bitsOfServer(target, keys) };
  });
}

/** What so many keys of a server take of its memory, if all take the same. */
function bytesOf({ usedMemory, databases }: ServerFacts, keys: number | undefined): number | undefined {
  const all = sumOfKnown(databases.map((database) => database.keys));
  return usedMemory === undefined || keys === undefined || !all ? undefined : (usedMemory * keys) / all;
}

/** Hosts stay in the settings: the plan is kept in the ledger. */
function withoutAddress<T extends ServerFacts>(facts: T): T {
  return { ...facts, masterAddress: undefined };
}
