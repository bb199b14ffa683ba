import type { App } from '../app/app';
import { loadedFacts } from '../app/side-facts';
import { withConnectionDatabases } from '../migration/choose-databases';
import { decidePlan } from '../migration/decide-plan';
import { sideNames, type SideName } from '../migration/phases';
import type { ToldFacts, TriedFacts } from '../migration/plan-facts';
import { refusalsOf, refusalsOfRights, refusalsOfTold } from '../migration/plan-refusals';
import type { Refusal } from '../migration/refusal-rules';
import type { MigrationRequest } from '../migration/request';
import { connectionOf } from '../migration/side-spec';
import { ConnectionSettingsError } from '../redis/connection-settings';
import { RedisError } from '../redis/errors';
import type { Diagnosis, Missing, Used } from './diagnosis';
import { askBothSides, sidesOf, tryBothSides, tryFeeds, tryRights, type PlanSides } from './prepare-plan';
import { usedForChanges, usedForKeys, usedOfSide, type SideTold } from './what-is-used';

type DoctorApp = Pick<App, 'clocks' | 'connections' | 'files' | 'settings'>;

const UNTRIED = [
  'Writing: commands that write are only queued, in transactions that are not carried out, and RESTORE is given payloads that no server takes. So rights are known, but not whether the target takes writes at this moment, or each value of the source.',
  'Addresses of nodes that are added, or change, later.',
  'How fast it goes: `dry-run` reads everything and tells more.',
];

/**
 * Tries on both servers all that a copy as asked depends on, by the same questions as its start, and goes on where a start would end.
 * Writes nothing, and keeps nothing.
 * @param request of mode copy, with connections on both sides
 */
export async function diagnose(request: MigrationRequest, app: DoctorApp): Promise<Diagnosis> {
  const sides = await Promise.all(sideNames.map(async (side) => await askSideAlone(request, side, app)));
  const uses = sides.flatMap(({ uses: used }) => used);
  const missing = sides.flatMap((side) => side.missing);
  const ended = (more: Partial<Diagnosis>): Diagnosis => {
    const found = { uses, missing, warnings: [], otherModes: [], ...more };
    return { ...found, possible: found.missing.length === 0, untried: UNTRIED };
  };
  if (missing.length > 0) return ended({});
  const known: Missing[] = [];
  try {
    return ended(await tryBoth(request, uses, known, app));
  } catch (error) {
    // What was found before counts too.
    return ended({ missing: [...known, missingFor(error, request)] });
  }
}

/** One side, whatever the other one is. */
async function askSideAlone(
  request: MigrationRequest,
  side: SideName,
  app: DoctorApp,
): Promise<{ readonly uses: readonly Used[]; readonly missing: readonly Missing[] }> {
  try {
    const name = connectionOf(request[side]);
    const connection = app.connections.get(name, 0);
    await connection.ready();
    const nodes = await connection.nodes();
    const lost = nodes.filter(({ trouble }) => trouble !== undefined);
    if (lost.length > 0) {
      return {
        uses: [],
        missing: lost.map(({ address, trouble }) => ({
          side,
          code: trouble?.kind ?? 'timeout',
          message: `Its node ${address} cannot be reached from here. ${trouble?.message ?? ''} ${WHERE_NODES_ARE}`,
        })),
      };
    }
    const told: SideTold = {
      facts: await loadedFacts(name, app),
      nodes,
      way: app.connections.wayOf(name),
      room: await app.connections.roomOf(name),
    };
    return { uses: usedOfSide(side, told), missing: [] };
  } catch (error) {
    return { uses: [], missing: [missingFor(error, request, side)] };
  }
}

const WHERE_NODES_ARE =
  'Every master must be reached: open the ports of all nodes between here and the cluster (docs/clusters.md, Addresses).';

/** @param missing takes what is found, so that it is told where the rest cannot be tried any more */
async function tryBoth(
  asked: MigrationRequest,
  uses: readonly Used[],
  missing: Missing[],
  app: DoctorApp,
): Promise<Partial<Diagnosis>> {
  const sides = sidesOf(asked, app);
  const request = withConnectionDatabases(asked, sides.source.database, sides.target.database);
  const told = await askBothSides(request, sides);
  missing.push(...refusalsOfTold(told).map(missingOf));
  // What is wrong with these would look like trouble if either side was tried.
  if (missing.length > 0) return { missing };
  const others = OTHER_MODES.map((mode) => ({ mode, request: inMode(request, mode) }));
  const { facts, keys } = await tryRights(told, sides);
  missing.splice(0, missing.length, ...refusalsOfRights(facts).map(missingOf));
  const tried = await tryBothSides(facts, keys, sides);
  const { plan, refusals } = decidePlan({ ...tried, databasesByConnection: request !== asked });
  const lists = await Promise.all(
    others.map(async ({ mode, request: other }) => {
      const inIt = await inOtherMode({ ...tried, request: other }, sides, app);
      const known = new Set(refusals.map(({ message }) => message));
      const more = refusalsOf(inIt).filter(({ message }) => !known.has(message));
      return { mode, tried: inIt, missing: more.map(missingOf) };
    }),
  );
  const { clocks, connections } = app;
  const [source, target] = [request.source, request.target].map((side) => {
    const name = connectionOf(side);
    return { name, connection: connections.get(name, 0) };
  });
  if (source === undefined || target === undefined) throw new Error('unreachable: there are two sides');
  const offset = await clocks.offset(source, target);
  const live = lists.find(({ mode }) => mode === 'live');
  return {
    uses: [...uses, ...usedForKeys(plan, offset), ...(live === undefined ? [] : usedForChanges(live.tried))],
    missing: refusals.map(missingOf),
    warnings: plan.warnings,
    otherModes: lists
      .filter(({ missing: more }) => more.length > 0)
      .map(({ mode, missing: more }) => ({ mode, missing: more })),
  };
}

const OTHER_MODES = ['compare', 'live'] as const;

function inMode(request: MigrationRequest, mode: (typeof OTHER_MODES)[number]): MigrationRequest {
  return { ...request, mode, verify: 'full', onConflict: 'replace' };
}

/** The same facts as another mode asks for them: of its rights, and whether what changes is told. */
async function inOtherMode(tried: TriedFacts, sides: PlanSides, app: DoctorApp): Promise<TriedFacts> {
  const { facts } = await tryRights(tried satisfies ToldFacts, sides);
  const { refused, keysRefused } = facts;
  return { ...tried, refused, keysRefused, ...(await tryFeeds(tried, app)) };
}

function missingOf({ code, path, message }: Refusal): Missing {
  return path === 'source' || path === 'target' ? { side: path, code, message } : { code, message };
}

/** @throws what is no trouble with a server or its settings */
function missingFor(error: unknown, request: MigrationRequest, side?: SideName): Missing {
  if (error instanceof ConnectionSettingsError) return { ...sideIf(side), code: 'settings', message: error.message };
  if (!(error instanceof RedisError)) throw error;
  const ofError = sideNames.find((name) => request[name] === error.connection);
  return { ...sideIf(side ?? ofError), code: error.kind, message: error.message };
}

function sideIf(side: SideName | undefined): Pick<Missing, 'side'> {
  return side === undefined ? {} : { side };
}
