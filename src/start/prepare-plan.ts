import type { App } from '../app/app';
import { loadedServers } from '../app/side-facts';
import type { PlannedConversion } from '../convert/conversion-facts';
import { kindOf } from '../convert/registry';
import { chooseDatabases, withConnectionDatabases } from '../migration/choose-databases';
import { decidePlan } from '../migration/decide-plan';
import { isUnread } from '../migration/file-facts';
import type { SideName } from '../migration/phases';
import type { Plan } from '../migration/plan';
import type { RightFacts, ToldFacts, TriedFacts } from '../migration/plan-facts';
import { refusalsOf, refusalsOfRights, refusalsOfTold, throwRefusals } from '../migration/plan-refusals';
import type { MigrationRequest } from '../migration/request';
import { isSameServer } from '../migration/same-server';
import { makeSelection } from '../migration/selection';
import { connectionOf, fileOf } from '../migration/side-spec';
import { NoFeedError, type FeedKind } from '../redis/feed-connection';
import type { SourceAbilities, TargetAbilities } from '../redis/probe';
import type { RedisPort } from '../redis/redis-port';
import { fileSource, fileTarget, noTarget } from './file-side';
import type { ReadFile } from './file-findings';
import type { PlanSide } from './plan-side';
import { reach, redisSource, redisTarget } from './redis-side';
import { writerOf } from './target-claims';
import type { Touchable } from './touchable-keys';

/** Both sides of a request, as they are asked and tried. */
export interface PlanSides {
  readonly source: PlanSide<SourceAbilities>;
  readonly target: PlanSide<TargetAbilities>;
}

/** Says by a PlanRefusedError what else speaks against a migration, before anything is tried on its sides: that calls commands that write. */
export type CheckTold = (told: ToldFacts) => void | Promise<void>;

/**
 * Gathers what both sides are and can do, as long as nothing speaks against it, and decides. Of a file that was not read yet it is the plan
 * to read it, and what speaks against all else by then.
 * @param read what was found in the file that is the source
 * @throws PlanRefusedError, RedisError, FileError
 */
export async function preparePlan(
  asked: MigrationRequest,
  app: Pick<App, 'connections' | 'files' | 'ledger' | 'settings'>,
  { check, read }: { readonly check?: CheckTold | undefined; readonly read?: ReadFile } = {},
): Promise<Plan> {
  const sides = sidesOf(asked, app, read);
  const request = withConnectionDatabases(asked, sides.source.database, sides.target.database);
  const told = await askBothSides(request, sides);
  throwRefusals(request, refusalsOfTold(told));
  await check?.(told);
  const { facts, keys } = await tryRights(told, sides);
  throwRefusals(request, refusalsOfRights(facts));
  const tried: TriedFacts = { ...(await tryBothSides(facts, keys, sides)), ...(await tryFeeds(facts, app)) };
  throwRefusals(request, refusalsOf(tried));
  const { plan, refusals } = decidePlan({
    ...tried,
    databasesByConnection: request !== asked,
    conversions: await prepareConversions(tried, sides, app),
    writerOfSource: isSameServer(tried) ? undefined : await writerOf('source', tried, app),
    // What is told from here on is held against it: probes have called commands that change keys.
    target: { ...(await sides.target.told(Promise.resolve(tried.source))), abilities: tried.target.abilities },
  });
  throwRefusals(request, refusals);
  // It is planned again once the file is read: with the request as it came.
  return isUnread(plan) ? { ...plan, request: asked } : plan;
}

/** The sides that a request names. @throws ConnectionSettingsError */
export function sidesOf(
  request: MigrationRequest,
  app: Pick<App, 'connections' | 'files'>,
  read?: ReadFile,
): PlanSides {
  const { source, target } = request;
  const [from, into] = [fileOf(source), fileOf(target)];
  return {
    source: from === undefined ? redisSource(connectionOf(source), app) : fileSource(from, app, read),
    target:
      target === null ? noTarget : into === undefined ? redisTarget(connectionOf(target), app) : fileTarget(into, app),
  };
}

/** What both sides tell of themselves. @throws RedisError, FileError */
export async function askBothSides(request: MigrationRequest, sides: PlanSides): Promise<ToldFacts> {
  const ofSource = sides.source.told();
  const [source, target] = await Promise.all([ofSource, sides.target.told(ofSource)]);
  const [bySource, byTarget] = await Promise.all([sides.source.met(), sides.target.met()]);
  return {
    processes: { source: bySource, target: byTarget },
    request,
    source,
    target,
    choices: chooseDatabases(request, source.databases, target.databases),
    addresses: { source: sides.source.address, target: sides.target.address },
  };
}

export type KeysOfSides = Readonly<Record<SideName, Touchable>>;

/** What both users may do, of what is asked for. */
export async function tryRights(
  told: ToldFacts,
  { source, target }: PlanSides,
): Promise<{ readonly facts: RightFacts; readonly keys: KeysOfSides }> {
  const [ofSource, ofTarget] = await Promise.all([source.touch(told), target.touch(told)]);
  const keys: KeysOfSides = { source: ofSource, target: ofTarget };
  const [bySource, byTarget] = [await source.refused(told, ofSource), await target.refused(told, ofTarget)];
  return {
    facts: {
      ...told,
      refused: { source: bySource.all, target: byTarget.all },
      unknown: { source: bySource.unknown, target: byTarget.unknown },
      keysRefused: { source: ofSource.refused, target: ofTarget.refused },
    },
    keys,
  };
}

/** What both sides can do. @throws RedisError, FileError */
export async function tryBothSides(
  facts: RightFacts,
  keys: KeysOfSides,
  { source, target }: PlanSides,
): Promise<TriedFacts> {
  const { request, choices } = facts;
  const sourceAbilities = source.abilities(facts, keys.source);
  const [ofSource, ofTarget] = await Promise.all([
    sourceAbilities,
    target.abilities(facts, keys.target, sourceAbilities),
  ]);
  return {
    ...facts,
    source: { ...facts.source, abilities: ofSource },
    target: { ...facts.target, abilities: ofTarget },
    missing: {
      source: await source.missing(new Set(choices.map(({ database }) => database))),
      target: await target.missing(new Set(choices.map(({ targetDatabase }) => targetDatabase))),
    },
    clockSpread: { source: await source.clockSpread(), target: await target.clockSpread() },
    scriptsRefused: {
      source: await source.scriptRefusal(request, keys.source),
      target: await target.scriptRefusal(request, keys.target),
    },
  };
}

const FEEDS: Readonly<Record<NonNullable<MigrationRequest['live']>['feed'], readonly FeedKind[]>> = {
  auto: ['tracking', 'redirect', 'notifications'],
  tracking: ['tracking', 'redirect'],
  notifications: ['notifications'],
};

/** By which feed the source tells what changes, where it is to be followed. */
export async function tryFeeds(
  { request: { mode, source, live } }: ToldFacts,
  app: Pick<App, 'connections'>,
): Promise<Pick<TriedFacts, 'feeds' | 'feedRefused' | 'sourceServers'>> {
  if (mode !== 'live') return {};
  const nothing = () => undefined;
  const events = { onNames: nothing, onFlush: nothing, onGap: nothing };
  const { servers: sourceServers } = await loadedServers(connectionOf(source), app);
  try {
    const feed = await app.connections.feed(connectionOf(source), FEEDS[live?.feed ?? 'auto'], events);
    feed.close();
    return { feeds: feed.kinds, sourceServers };
  } catch (error) {
    if (!(error instanceof NoFeedError)) throw error;
    return { feedRefused: error.message };
  }
}

/** Counting is for information: a large keyspace is not walked to its end for it before the answer. A dry run does. */
const COUNTING_MS = 300;

async function prepareConversions(
  { request, choices }: ToldFacts,
  { source }: PlanSides,
  app: Pick<App, 'connections'>,
): Promise<readonly PlannedConversion[]> {
  const known = source.conversionFacts?.(choices.map(({ database }) => database));
  if (known !== undefined) {
    return request.convert.map((options, i) => ({ name: kindOf(options).name, facts: known[i] ?? {} }));
  }
  const selection = makeSelection(request.select);
  const context = {
    databases: choices.map(({ database }) => database),
    onSource: <T>(database: number, work: (port: RedisPort) => Promise<T>): Promise<readonly T[]> => {
      const connection = app.connections.get(connectionOf(request.source), database);
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
