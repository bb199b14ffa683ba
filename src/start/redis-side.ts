import { randomUUID } from 'node:crypto';
import { loadedFacts } from '../app/side-facts';
import type { App } from '../app/app';
import { kindOf } from '../convert/registry';
import { looksForExtra, type DatabaseChoice } from '../migration/choose-databases';
import type { SideName } from '../migration/phases';
import type { RightFacts } from '../migration/plan-facts';
import { commandsAsked } from '../migration/rights';
import type { MigrationRequest } from '../migration/request';
import { asksOf, isRedisError, RedisError } from '../redis/errors';
import type { DatabaseKeys } from '../redis/database-keys';
import {
  hasCursorOrder,
  hasDatabase,
  probeClusterSource,
  probeClusterTarget,
  probeClusterWalk,
  probeSource,
  probeTarget,
  type SourceAbilities,
  type TargetAbilities,
  type Trial,
  type TriedMaster,
} from '../redis/probe';
import type { RedisPort } from '../redis/redis-port';
import { refusedCommands } from '../redis/rights';
import type { RoutedConnection } from '../redis/routed-connection';
import { clockSpread } from '../transfer/clock-offset';
import type { PlanSide } from './plan-side';
import { touchOnSource, touchOnTarget, type Touchable } from './touchable-keys';

type SideApp = Pick<App, 'connections'>;

/** Of two servers behind one name that are drawn by lot, so many connections meet only the one in one of 32 cases. */
const OPENED_AT_ONCE = 6;

/** A Redis that is to be read. */
export function redisSource(name: string, app: SideApp): PlanSide<SourceAbilities> {
  const connection = app.connections.get(name, 0);
  const largest = (facts: Pick<RightFacts, 'choices' | 'source'>) =>
    app.connections.get(name, largestOf(facts.choices, facts.source.databases));
  return {
    ...redisSide(name, 'source', app),
    touch: (told) => reach(connection, () => touchOnSource(told.request, connection, largest(told))),
    abilities: (facts, keys) =>
      reach(connection, async () => {
        const trial = trialOf('source', facts, keys);
        if (facts.source.cluster) return await probeClusterSource(connection, await connection.servers(), trial);
        const port = largest(facts);
        await port.ready();
        return await probeSource(connection, port, trial);
      }),
  };
}

/** A Redis that is to be written. */
export function redisTarget(name: string, app: SideApp): PlanSide<TargetAbilities> {
  const connection = app.connections.get(name, 0);
  return {
    ...redisSide(name, 'target', app),
    touch: (told) => reach(connection, () => touchOnTarget(told, connection)),
    abilities: (facts, keys) =>
      reach(connection, async () => {
        const { request, target } = facts;
        const ownKeys = keys.frame === undefined ? {} : { ownKeys: keys.frame };
        const trial = trialOf('target', facts, keys);
        const tried = target.cluster
          ? await probeClusterTarget(connection, await mastersOf(connection), target, trial)
          : await probeTarget(connection, target, trial);
        const abilities = { ...tried, ...ownKeys };
        // By that its keys are compared too, which a copy does where its target failed over.
        if (target.cluster) return { ...abilities, ...(await probeClusterWalk(await connection.servers(), trial)) };
        if (request.mode !== 'sync' && !looksForExtra(request)) return abilities;
        const port = app.connections.get(name, largestIn(target.databases));
        await port.ready();
        return { ...abilities, cursorOrder: await hasCursorOrder(port) };
      }),
  };
}

/** What is the same for both. */
function redisSide(name: string, side: SideName, app: SideApp): Omit<PlanSide<never>, 'touch' | 'abilities'> {
  const connection = app.connections.get(name, 0);
  return {
    database: app.connections.databaseOf(name),
    address: app.connections.addressOf(name),
    told: () => reach(connection, () => loadedFacts(name, app)),
    met: () => app.connections.metBy(name, OPENED_AT_ONCE),
    refused: (told, keys) => {
      const probe = Buffer.from(`keyferry:probe:${randomUUID()}`);
      return app.connections.withOwn(name, (own) => refusedCommands(own, commandsAsked(side, told), keys.named(probe)));
    },
    missing: (databases) => missingOf(connection, databases),
    clockSpread: () => reach(connection, async () => clockSpread(await connection.servers())),
    scriptRefusal: (request, keys) => reach(connection, () => scriptRefusal(request, connection, side, keys.named)),
  };
}

/** The masters of a cluster, to be tried each by itself. @throws RedisError where one is not reached */
async function mastersOf(connection: RoutedConnection): Promise<TriedMaster[]> {
  return (await connection.eachServer()).map(({ master, port }) => {
    if (port instanceof RedisError) throw port;
    return { slots: master?.slots ?? [], port };
  });
}

function trialOf(side: SideName, facts: RightFacts, keys: Touchable): Trial {
  const asked = new Set(commandsAsked(side, facts));
  return { named: keys.named, may: (command) => asked.has(command) && !facts.refused[side].includes(command) };
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

/** Makes a call on an open connection, and again where the connection was lost. Throws what does not pass so. */
export async function reach<T>(connection: RoutedConnection, call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      await connection.ready();
      return await call();
    } catch (error) {
      // A connection that was idle may have been closed by the other side: that shows at its first use.
      const isGone = isRedisError(
        error,
        'connectionRefused',
        'hostUnknown',
        'hostUnreachable',
        'timeout',
        'nodeUnreachable',
      );
      if (asksOf(error) !== 'retry' || isGone || tries === TRIES) throw error;
    }
  }
}
