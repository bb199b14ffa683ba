import type { App } from './app';
import type { MigrationRow } from '../migration/rows';
import { keysInAll, type OnOwnConnection } from '../redis/database-keys';
import { RedisError } from '../redis/errors';
import { mergeFacts } from '../redis/merge-facts';
import { readServerFacts, type ServerFacts } from '../redis/probe';
import type { SideName } from '../migration/phases';
import type { Plan } from '../migration/plan';

/** What one side tells at the moment. */
export type SideFacts = ServerFacts;

/**
 * What a side tells now; undefined while it does not answer, or reads its data from disk. The workers say what is wrong with a
 * server; who asks here only has no numbers for now.
 */
export async function factsOf(
  { plan }: MigrationRow,
  side: SideName,
  app: Pick<App, 'connections'>,
): Promise<SideFacts | undefined> {
  try {
    return await factsOrThrow(plan, side, app);
  } catch {
    return undefined;
  }
}

/** As `factsOf`. @throws RedisError, also while the server reads its data from disk */
export async function factsOrThrow(
  { request }: Plan,
  side: SideName,
  app: Pick<App, 'connections'>,
): Promise<SideFacts> {
  return await loadedFacts(request[side], app);
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
