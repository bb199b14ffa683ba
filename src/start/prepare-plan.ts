import { randomUUID } from 'node:crypto';
import type { App } from '../app/app';
import type { PlannedConversion } from '../convert/conversion-facts';
import { kindOf } from '../convert/registry';
import type { RoutedConnection } from '../redis/routed-connection';
import { asksOf, isRedisError } from '../redis/errors';
import type { RedisPort } from '../redis/redis-port';
import type { DatabaseKeys } from '../redis/database-keys';
import {
  hasCursorOrder,
  hasDatabase,
  probeClusterSource,
  probeSource,
  probeTarget,
  type ServerFacts,
  type Trial,
} from '../redis/probe';
import { refusedCommands } from '../redis/rights';
import { makeSelection } from '../migration/selection';
import { chooseDatabases, withConnectionDatabases, type DatabaseChoice } from '../migration/choose-databases';
import { decidePlan } from '../migration/decide-plan';
import type { SideName } from '../migration/phases';
import type { Plan } from '../migration/plan';
import type { RightFacts, ToldFacts, TriedFacts } from '../migration/plan-facts';
import { refusalsOf, refusalsOfRights, refusalsOfTold, throwRefusals } from '../migration/plan-refusals';
import { commandsAsked } from '../migration/rights';
import { isSameServer } from '../migration/same-server';
import type { MigrationRequest } from '../migration/request';
import { loadedFacts } from '../app/side-facts';
import { touchOnSource, touchOnTarget, type Touchable } from './touchable-keys';
import { clockSpread } from '../transfer/clock-offset';
import { writerOfSource } from './target-claims';

/** Gathers what both sides are and can do, as long as nothing speaks against it, and decides. @throws PlanRefusedError, RedisError */
export async function preparePlan(asked: MigrationRequest, app: Pick<App, 'connections' | 'ledger'>): Promise<Plan> {
  const [ofSource, ofTarget] = [asked.source, asked.target].map((name) => app.connections.databaseOf(name));
  const request = withConnectionDatabases(asked, ofSource, ofTarget);
  const told = await askBothSides(request, app);
  throwRefusals(request, refusalsOfTold(told));
  const { facts, keys } = await tryRights(told, app);
  throwRefusals(request, refusalsOfRights(facts));
  const tried = await tryBothSides(facts, keys, app);
  throwRefusals(request, refusalsOf(tried));
  const { plan, refusals } = decidePlan({
    ...tried,
    databasesByConnection: request !== asked,
    conversions: await prepareConversions(tried, app),
    writerOfSource: isSameServer(tried) ? undefined : await writerOfSource(tried, app),
    // What is told from here on is held against it: probes have called commands that change keys.
    target: { ...(await toldBy(request.target, app)), abilities: tried.target.abilities },
  });
  throwRefusals(request, refusals);
  return plan;
}

async function toldBy(name: string, app: Pick<App, 'connections'>): Promise<ServerFacts> {
  return await reach(app.connections.get(name, 0), () => loadedFacts(name, app));
}

async function askBothSides(request: MigrationRequest, app: Pick<App, 'connections'>): Promise<ToldFacts> {
  const [source, target] = await Promise.all([toldBy(request.source, app), toldBy(request.target, app)]);
  const metBy = (name: string) => app.connections.metBy(name, OPENED_AT_ONCE);
  const [bySource, byTarget] = await Promise.all([metBy(request.source), metBy(request.target)]);
  return {
    processes: { source: bySource, target: byTarget },
    request,
    source,
    target,
    choices: chooseDatabases(request, source.databases, target.databases),
    addresses: {
      source: app.connections.addressOf(request.source),
      target: app.connections.addressOf(request.target),
    },
  };
}

/** Of two servers behind one name that are drawn by lot, so many connections meet only the one in one of 32 cases. */
const OPENED_AT_ONCE = 6;

type KeysOfSides = Readonly<Record<SideName, Touchable>>;

/** What both users may do, of what is asked for. */
async function tryRights(
  told: ToldFacts,
  app: Pick<App, 'connections'>,
): Promise<{ readonly facts: RightFacts; readonly keys: KeysOfSides }> {
  const { request, choices } = told;
  const source = app.connections.get(request.source, 0);
  const target = app.connections.get(request.target, 0);
  const largest = app.connections.get(request.source, largestOf(choices, told.source.databases));
  const [ofSource, ofTarget] = await Promise.all([
    reach(source, () => touchOnSource(request, source, largest)),
    reach(target, () => touchOnTarget(told, target)),
  ]);
  const keys: KeysOfSides = { source: ofSource, target: ofTarget };
  const refused = async (side: SideName) =>
    await app.connections.withOwn(request[side], (own) =>
      refusedCommands(own, commandsAsked(side, told), keys[side].named(Buffer.from(`keyferry:probe:${randomUUID()}`))),
    );
  return {
    facts: {
      ...told,
      refused: { source: await refused('source'), target: await refused('target') },
      keysRefused: { source: ofSource.refused, target: ofTarget.refused },
    },
    keys,
  };
}

async function tryBothSides(facts: RightFacts, keys: KeysOfSides, app: Pick<App, 'connections'>): Promise<TriedFacts> {
  const { request, choices } = facts;
  const source = app.connections.get(request.source, 0);
  const target = app.connections.get(request.target, 0);
  const largest = app.connections.get(request.source, largestOf(choices, facts.source.databases));
  const trial = (side: SideName): Trial => {
    const asked = new Set(commandsAsked(side, facts));
    return {
      named: keys[side].named,
      may: (command) => asked.has(command) && !facts.refused[side].includes(command),
    };
  };
  const [sourceAbilities, targetAbilities] = await Promise.all([
    reach(source, async () => {
      if (facts.source.cluster) return await probeClusterSource(source, await source.servers(), trial('source'));
      await largest.ready();
      return await probeSource(source, largest, trial('source'));
    }),
    reach(target, async () => {
      const abilities = await probeTarget(target, facts.target, trial('target'));
      // Its slots are walked, whatever cursors the nodes have.
      if (facts.target.cluster) return { ...abilities, cursorOrder: true };
      if (request.mode !== 'compare' && request.mode !== 'sync') return abilities;
      const port = app.connections.get(request.target, largestIn(facts.target.databases));
      await port.ready();
      return { ...abilities, cursorOrder: await hasCursorOrder(port) };
    }),
  ]);
  const missing = async (side: SideName) => {
    const databases = choices.map((choice) => (side === 'source' ? choice.database : choice.targetDatabase));
    return await missingOf(side === 'source' ? source : target, new Set(databases));
  };
  const ownKeys = keys.target.frame === undefined ? {} : { ownKeys: keys.target.frame };
  return {
    ...facts,
    source: { ...facts.source, abilities: sourceAbilities },
    target: { ...facts.target, abilities: { ...targetAbilities, ...ownKeys } },
    missing: { source: await missing('source'), target: await missing('target') },
    clockSpread: {
      source: await reach(source, async () => clockSpread(await source.servers())),
      target: await reach(target, async () => clockSpread(await target.servers())),
    },
    scriptsRefused: {
      source: await reach(source, () => scriptRefusal(request, source, 'source', keys.source.named)),
      target: await reach(target, () => scriptRefusal(request, target, 'target', keys.target.named)),
    },
  };
}

/** The databases that a side does not have. Database 0 is always there. */
async function missingOf(connection: RoutedConnection, databases: ReadonlySet<number>): Promise<number[]> {
  const missing: number[] = [];
  for (const database of databases) {
    if (database === 0) continue;
    if (!(await reach(connection, () => hasDatabase(connection, database, 0)))) missing.push(database);
  }
  return missing;
}

/** Counting is for information: a large keyspace is not walked to its end for it before the answer. A dry run does. */
const COUNTING_MS = 300;

async function prepareConversions(
  { request, choices }: ToldFacts,
  app: Pick<App, 'connections'>,
): Promise<readonly PlannedConversion[]> {
  const selection = makeSelection(request.select);
  const context = {
    databases: choices.map(({ database }) => database),
    onSource: <T>(database: number, work: (port: RedisPort) => Promise<T>): Promise<readonly T[]> => {
      const connection = app.connections.get(request.source, database);
      return reach(connection, async () => Promise.all((await connection.servers()).map(work)));
    },
    wants: (key: Buffer, type: string) => selection.wants(key, type),
  };
  const planned: PlannedConversion[] = [];
  for (const options of request.convert) {
    const kind = kindOf(options);
    const facts = await kind.prepare(options, { ...context, until: performance.now() + COUNTING_MS });
    planned.push({ name: kind.name, facts });
  }
  return planned;
}

/** A side's words where it refuses the scripts of one of the request's converters. */
async function scriptRefusal(
  { convert }: MigrationRequest,
  port: RedisPort,
  side: SideName,
  named: (name: Buffer) => Buffer,
): Promise<string | undefined> {
  for (const options of convert) {
    const refusal = await kindOf(options).scriptRefusal(port, side, named);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function largestOf(choices: readonly DatabaseChoice[], lines: readonly DatabaseKeys[]): number {
  const chosen = lines.filter((line) => choices.some(({ database }) => database === line.database));
  return largestIn(chosen);
}

/** The database with most keys; where none is known to have any, the first that may have some, or else 0. */
function largestIn(lines: readonly DatabaseKeys[]): number {
  const [first] = [...lines].sort((a, b) => sizeForProbe(b) - sizeForProbe(a));
  return first?.database ?? 0;
}

function sizeForProbe({ keys }: DatabaseKeys): number {
  return keys ?? 0.5;
}

const TRIES = 3;

async function reach<T>(connection: RoutedConnection, call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      await connection.ready();
      return await call();
    } catch (error) {
      // A connection that was idle may have been closed by the other side: that shows at its first use.
      const isGone = isRedisError(error, 'connectionRefused', 'hostUnknown', 'hostUnreachable', 'timeout');
      if (asksOf(error) !== 'retry' || isGone || tries === TRIES) throw error;
    }
  }
}
