import type { App } from '../app/app';
import { addSessionCounts, countSessions, noSessions } from '../convert/aspnet-session/count-sessions';
import { scriptRefusal } from '../convert/aspnet-session/script-rights';
import { SessionConverter } from '../convert/aspnet-session/session-converter';
import type { RedisConnection } from '../redis/connection';
import { describeConnectionError, errorKind } from '../redis/errors';
import type { DatabaseKeys } from '../redis/database-keys';
import { hasCursorOrder, hasDatabase, probeSource, probeTarget } from '../redis/probe';
import { makeSelection } from '../migration/selection';
import {
  chooseDatabases,
  makePlan,
  PlanRefusedError,
  refusalsOf,
  refuseWhatCannotBe,
  type DatabaseChoice,
  type Plan,
  type Refuse,
} from '../migration/plan';
import type { MigrationRequest } from '../migration/request';
import type { SessionCount } from '../migration/session-count';
import { loadedFacts } from '../app/side-facts';

/** A Redis that cannot be reached or does not let in. The message names the connection, never its secret. */
export class UnreachableError extends Error {
  constructor(
    readonly connection: string,
    message: string,
  ) {
    super(message);
    this.name = 'UnreachableError';
  }
}

/** Looks at both sides and makes the plan. @throws PlanRefusedError, UnreachableError */
export async function preparePlan(request: MigrationRequest, app: Pick<App, 'connections'>): Promise<Plan> {
  const source = app.connections.get(request.source, 0);
  const target = app.connections.get(request.target, 0);
  const [sourceFacts, targetFacts] = await Promise.all([
    reach(request.source, source, () => loadedFacts(request.source, app)),
    reach(request.target, target, () => loadedFacts(request.target, app)),
  ]);
  const chosen = chooseDatabases(request, present(request, sourceFacts.databases, targetFacts.databases));
  const addresses = {
    source: app.connections.addressOf(request.source),
    target: app.connections.addressOf(request.target),
  };
  // What does not hinder a dry run is told by the plan, once.
  refuseWhatCannotBe({
    request,
    source: sourceFacts,
    target: targetFacts,
    choices: chosen,
    addresses,
    refuse: refusalsOf(request).refuse,
  });
  const largest = largestOf(chosen, sourceFacts.databases);
  const [sourceAbilities, targetAbilities] = await Promise.all([
    reach(request.source, source, async () => {
      const port = app.connections.get(request.source, largest);
      await port.ready();
      return await probeSource(source, port);
    }),
    reach(request.target, target, async () => {
      const abilities = await probeTarget(target, targetFacts);
      if (request.mode !== 'compare' && request.mode !== 'sync') return abilities;
      const port = app.connections.get(request.target, largestIn(targetFacts.databases));
      await port.ready();
      return { ...abilities, cursorOrder: await hasCursorOrder(port) };
    }),
  ]);
  const { refuse, obstacles } = refusalsOf(request);
  const choices = await lookForDatabases({ request, choices: chosen, source, target, refuse });
  if (request.convert.length > 0) {
    await refuseWithoutScripts(request.source, source, 'source');
    await refuseWithoutScripts(request.target, target, 'target');
  }
  const sessions = await countAllSessions(request, choices, app);
  // What is told from here on is held against it: probes have called commands that change keys.
  const probedFacts = await reach(request.target, target, () => loadedFacts(request.target, app));
  return makePlan({
    request,
    choices,
    addresses,
    obstacles,
    ...(sessions === undefined ? {} : { sessions }),
    source: { ...sourceFacts, abilities: sourceAbilities },
    target: { ...probedFacts, abilities: targetAbilities },
  });
}

/** The databases that "all" means: those of the source, and where extra keys are looked for those of the target too. */
function present(
  { mode, deleteExtra }: MigrationRequest,
  source: readonly DatabaseKeys[],
  target: readonly DatabaseKeys[],
): readonly DatabaseKeys[] {
  if (mode !== 'compare' && !deleteExtra) return source;
  const others = target.filter(({ database }) => !source.some((line) => line.database === database));
  return [...source, ...others.map(({ database }) => ({ database, keys: 0 }))];
}

/** A session is read, and written, by one script, so that no state of it is a mixture. */
async function refuseWithoutScripts(
  name: string,
  connection: RedisConnection,
  side: 'source' | 'target',
): Promise<void> {
  const refusal = await reach(name, connection, () => scriptRefusal(connection, side));
  if (refusal === undefined) return;
  throw new PlanRefusedError(
    400,
    'scriptsNeeded',
    `A conversion reads and writes each session by a Lua script, and the ${side} "${name}" refuses that: ${refusal}. Allow the user @scripting and the commands in the message, or leave "convert" out.`,
  );
}

/** Counting is for information: a large keyspace is not walked to its end for it before the answer. A dry run does. */
const COUNTING_MS = 300;

async function countAllSessions(
  request: MigrationRequest,
  choices: readonly DatabaseChoice[],
  app: Pick<App, 'connections'>,
): Promise<SessionCount | undefined> {
  const [options] = request.convert;
  if (options === undefined) return undefined;
  const converter = new SessionConverter(options, NO_SERVERS);
  const selection = makeSelection(request.select);
  const end = Date.now() + COUNTING_MS;
  let sum = noSessions;
  for (const { database } of choices) {
    const port = app.connections.get(request.source, database);
    const counted = await reach(request.source, port, () =>
      countSessions(
        port,
        (key) => converter.claims(key) && selection.wants(key, 'hash'),
        options.braceless,
        end - Date.now(),
      ),
    );
    sum = addSessionCounts(sum, counted);
  }
  return sum;
}

/** For asking a converter which names it claims. */
const NO_SERVERS = { inPlace: false, sourceAtOnce: 1, targetAtOnce: 1, memoryUsage: false };

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

/** Refuses databases that are not there; where `refuse` lets them pass, they are marked. */
async function lookForDatabases(input: {
  readonly request: MigrationRequest;
  readonly choices: readonly DatabaseChoice[];
  readonly source: RedisConnection;
  readonly target: RedisConnection;
  readonly refuse: Refuse;
}): Promise<readonly DatabaseChoice[]> {
  const { request, choices, source, target, refuse } = input;
  for (const { database } of choices) {
    if (database === 0) continue;
    if (await reach(request.source, source, () => hasDatabase(source, database, 0))) continue;
    throw new PlanRefusedError(400, 'noSuchDatabase', `The source "${request.source}" has no database ${database}.`);
  }
  const missing = new Set<number>();
  for (const targetDatabase of new Set(choices.map((choice) => choice.targetDatabase))) {
    if (targetDatabase === 0) continue;
    if (await reach(request.target, target, () => hasDatabase(target, targetDatabase, 0))) continue;
    refuse(
      new PlanRefusedError(
        400,
        'noSuchDatabase',
        `The target "${request.target}" has no database ${targetDatabase}. Map databases to others or to key prefixes, for example "databases": {"0": 0, "${targetDatabase}": "db${targetDatabase}:"}.`,
      ),
    );
    missing.add(targetDatabase);
  }
  return choices.map((choice) => (missing.has(choice.targetDatabase) ? { ...choice, missingOnTarget: true } : choice));
}

const TRIES = 3;

async function reach<T>(name: string, connection: RedisConnection, call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      await connection.ready();
      return await call();
    } catch (error) {
      // A connection that was idle may have been closed by the other side: that shows at its first use.
      const passing = errorKind(error) === 'retry' && !/ECONNREFUSED|ENOTFOUND|ETIMEDOUT/.test(String(error));
      if (!passing || tries === TRIES) throw new UnreachableError(name, describeConnectionError(name, error));
    }
  }
}
