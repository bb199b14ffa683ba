import type { App } from './app';
import type { MigrationRow } from '../migration/rows';
import { keysInAll, type OnOwnConnection } from '../redis/database-keys';
import { RedisError } from '../redis/errors';
import { inTime } from '../redis/first-answers';
import { mergeFacts } from '../redis/merge-facts';
import { readServerFacts, type ServerFacts } from '../redis/probe';
import type { SideName } from '../migration/phases';
import type { Plan } from '../migration/plan';
import { connectionOf, fileOf, nameOfSide } from '../migration/side-spec';

/** What one side tells at the moment. */
export type SideFacts = ServerFacts;

/** A side that was asked what it is now. */
export interface Asked {
  /** Undefined while it does not answer, or reads its data from disk. */
  readonly facts: SideFacts | undefined;
  /** Why it does not tell; null where it does. */
  readonly trouble: string | null;
}

/** Who watches a migration waits no longer for a side: it is asked again soon, and what is told of the other side must not be old. */
const PATIENCE_MS = 4_000;

/** Asks what a side tells now. */
export async function askSide({ plan }: MigrationRow, side: SideName, app: Pick<App, 'connections'>): Promise<Asked> {
  try {
    const late = () => new RedisError('timeout', nameOfSide(plan.request[side]));
    return { facts: await inTime(factsOrThrow(plan, side, app), late, PATIENCE_MS), trouble: null };
  } catch (error) {
    return { facts: undefined, trouble: error instanceof Error ? error.message : String(error) };
  }
}

/** As `askSide`. @throws RedisError, also while the server reads its data from disk */
export async function factsOrThrow(plan: Plan, side: SideName, app: Pick<App, 'connections'>): Promise<SideFacts> {
  const { [side]: spec } = plan.request;
  // A file stays what it was: whoever reads it holds to that.
  if (fileOf(spec) !== undefined) return plan[side];
  return await loadedFacts(connectionOf(spec), app);
}

/** What the server of a connection tells, or the masters of a cluster together. @throws RedisError, also while it reads its data from disk */
export async function loadedFacts(name: string, app: Pick<App, 'connections'>): Promise<SideFacts> {
  const connection = app.connections.get(name, 0);
  await connection.ready();
  const servers = await connection.servers();
  const onOwn: OnOwnConnection = (call) => app.connections.withOwn(name, call);
  // The other nodes of a cluster would need other ways in, and have one database.
  const own = servers.length === 1 ? onOwn : undefined;
  const facts = mergeFacts(await Promise.all(servers.map((server) => readServerFacts(server, own))));
  if (facts.loading) throw new RedisError('loading', name);
  return facts;
}

/** Keys in the databases of the plan on one side; undefined where it does not tell. */
export function keysIn(facts: SideFacts, plan: Plan, side: SideName): number | undefined {
  return keysInAll(facts, new Set(plan.databases.map((d) => (side === 'source' ? d.database : d.targetDatabase))));
}
