import type { App } from './app';
import type { MigrationRow } from '../migration/rows';
import { keysInAll, type OnOwnConnection } from '../redis/database-keys';
import { withUnowned, type ShardTold } from '../migration/shards';
import { idOf, type Doubt, type Owners } from '../redis/cluster-views';
import { RedisError, type ErrorKind } from '../redis/errors';
import { inTime } from '../redis/first-answers';
import { mergeFacts } from '../redis/merge-facts';
import { readServerFacts, type ServerFacts } from '../redis/probe';
import type { ServerOfSide } from '../redis/routed-connection';
import { addressText } from '../redis/topology';
import type { SideName } from '../migration/phases';
import type { Plan } from '../migration/plan';
import { isUnread } from '../migration/file-facts';
import { isServer } from '../migration/side-spec';

/** What one side tells at the moment. */
export type SideFacts = ServerFacts;

/** A side that was asked what it is now. */
export interface Asked {
  /** Undefined while it does not answer, or reads its data from disk. */
  readonly facts: SideFacts | undefined;
  /** Why it does not tell; null where it does. */
  readonly trouble: string | null;
  /** Of a cluster: what each master tells, also where not all do. */
  readonly shards?: readonly ShardTold[] | undefined;
}

/** Who watches a migration waits no longer for a side: it is asked again soon, and what is told of the other side must not be old. */
const PATIENCE_MS = 4_000;
/** For one master of a cluster: the others are not to be unheard for its sake. */
const PATIENCE_FOR_ONE_MS = 2_500;

/** Asks what a side tells now. */
export async function askSide({ plan }: MigrationRow, side: SideName, app: Pick<App, 'connections'>): Promise<Asked> {
  const { [side]: spec } = plan.request;
  if (!isServer(spec)) return { facts: plan[side], trouble: null };
  let shards: readonly ShardTold[] | undefined;
  try {
    const late = () => new RedisError('timeout', spec);
    const { before, each } = await inTime(askEach(spec, app, PATIENCE_FOR_ONE_MS), late, PATIENCE_MS);
    shards = shardsOf(each);
    const facts = together(each, spec);
    const owners = await inTime(confirm(spec, each, app), late, PATIENCE_MS);
    return { facts: withOwners(facts, before, owners), trouble: null, shards };
  } catch (error) {
    return { facts: undefined, trouble: messageOf(error), shards };
  }
}

/** As `askSide`. @throws RedisError, also while the server reads its data from disk, or it is not certain which masters a cluster has */
export async function factsOrThrow(plan: Plan, side: SideName, app: Pick<App, 'connections'>): Promise<SideFacts> {
  const { [side]: spec } = plan.request;
  // A file stays what it was: whoever reads it holds to that.
  if (!isServer(spec)) return plan[side];
  return await loadedFacts(spec, app);
}

/** What the server of a connection tells, or the masters of a cluster together. @throws RedisError as `factsOrThrow` */
export async function loadedFacts(name: string, app: Pick<App, 'connections'>): Promise<SideFacts> {
  return (await loadedServers(name, app)).facts;
}

/** What a side tells, and each of its servers. */
export interface LoadedServers {
  readonly facts: SideFacts;
  readonly servers: readonly ServerFacts[];
  /** Of a cluster: the ids of these, in their order, as `owners` names them. */
  readonly ids: readonly (string | undefined)[];
  /** Of a cluster: who has which slots. */
  readonly owners: Owners | undefined;
}

/** As `loadedFacts`, with what each master of a cluster tells. @throws RedisError as `factsOrThrow` */
export async function loadedServers(name: string, app: Pick<App, 'connections'>): Promise<LoadedServers> {
  const { before, each } = await askEach(name, app);
  const facts = together(each, name);
  const servers = each.flatMap(({ facts: own }) => (own instanceof RedisError ? [] : [own]));
  const ids = each.map(({ master }) => (master === undefined ? undefined : idOf(master)));
  const owners = await confirm(name, each, app);
  return { facts: withOwners(facts, before, owners), servers, ids, owners };
}

/** With what the nodes of a cluster say together, before and after its masters were asked one after the other. */
function withOwners(facts: ServerFacts, before: Owners | undefined, after: Owners | undefined): ServerFacts {
  if (after === undefined) return facts;
  const areMoved = after.doubt === 'moving' || before?.slots !== after.slots;
  return {
    ...facts,
    ...(areMoved ? { slotsMoved: true } : {}),
    ...(after.unseen > 0 ? { unseenReplicas: after.unseen } : {}),
  };
}

const DOUBTS: Readonly<Record<Doubt, ErrorKind | undefined>> = {
  differ: 'nodesDiffer',
  unheard: 'nodeUnheard',
  down: 'clusterDown',
  // Whoever walks looks at each slot by itself.
  moving: undefined,
};

/**
 * Who the masters of a cluster are, after those that were taken for them have told what they are: what one node says of it is not enough,
 * since one that was replaced, or is cut off from the others, goes on as if nothing had happened. Undefined of what is no cluster.
 * @throws RedisError where that is not certain, or those that were asked are not all
 */
async function confirm(
  name: string,
  asked: readonly AskedServer[],
  app: Pick<App, 'connections'>,
): Promise<Owners | undefined> {
  const ids = new Set(asked.flatMap(({ master }) => (master === undefined ? [] : idOf(master))));
  if (ids.size === 0) return undefined;
  const owners = await app.connections.get(name, 0).cluster.agreement();
  const kind = owners.doubt === null ? undefined : DOUBTS[owners.doubt];
  if (kind !== undefined) throw new RedisError(kind, name);
  if (!owners.topology.masters.every((master) => ids.has(idOf(master)))) throw new RedisError('nodesDiffer', name);
  return owners;
}

/** What a server told, or a master of a cluster. */
interface AskedServer extends ServerOfSide {
  readonly facts: ServerFacts | RedisError;
}

/** What the servers of a side tell, and of a cluster who had which slots before they were asked. */
interface AskedServers {
  readonly each: readonly AskedServer[];
  readonly before: Owners | undefined;
}

/** @param patienceMs how long a master of a cluster may take at most @throws RedisError where it is not known which servers there are */
async function askEach(name: string, app: Pick<App, 'connections'>, patienceMs?: number): Promise<AskedServers> {
  const connection = app.connections.get(name, 0);
  await connection.ready();
  const servers = await connection.eachServer(patienceMs);
  const before = connection.cluster.isOne ? connection.cluster.known : undefined;
  const onOwn: OnOwnConnection = (call) => app.connections.withOwn(name, call);
  // The other nodes of a cluster would need other ways in, and have one database.
  const own = servers.length === 1 ? onOwn : undefined;
  const late = () => new RedisError('timeout', name);
  const each = await Promise.all(
    servers.map(async (server) => {
      try {
        if (server.port instanceof RedisError) throw server.port;
        const facts = readServerFacts(server.port, own);
        return { ...server, facts: patienceMs === undefined ? await facts : await inTime(facts, late, patienceMs) };
      } catch (error) {
        if (error instanceof RedisError) return { ...server, facts: error };
        throw error;
      }
    }),
  );
  return { each, before };
}

/** @throws RedisError where one of them did not tell, or reads its data from disk */
function together(each: readonly AskedServer[], name: string): SideFacts {
  const facts = mergeFacts(
    each.map(({ facts: own, master }) => {
      if (own instanceof RedisError) throw own;
      // Its INFO may hide it.
      return master === undefined ? own : { ...own, cluster: true };
    }),
  );
  if (facts.loading) throw new RedisError('loading', name);
  return facts;
}

/** Undefined of a server that is no cluster. */
function shardsOf(each: readonly AskedServer[]): readonly ShardTold[] | undefined {
  const told = each.flatMap(({ master, facts }): ShardTold[] => {
    if (master === undefined) return [];
    const { slots } = master;
    const node = addressText(master);
    if (facts instanceof RedisError) return [{ node, slots, trouble: facts.message }];
    if (facts.loading) return [{ node, slots, trouble: 'It reads its data from disk.' }];
    return [{ node, slots, keys: keysInAll(facts, [0]), trouble: null }];
  });
  return told.length === 0 ? undefined : withUnowned(told);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Keys in the databases of the plan on one side; undefined where it does not tell. */
export function keysIn(facts: SideFacts, plan: Plan, side: SideName): number | undefined {
  if (isUnread(plan)) return undefined;
  return keysInAll(facts, new Set(plan.databases.map((d) => (side === 'source' ? d.database : d.targetDatabase))));
}
