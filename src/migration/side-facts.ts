import type { App } from '../app/app';
import type { MigrationRow } from '../ledger/rows';
import { readServerFacts, type ServerFacts } from '../redis/probe';
import type { Plan } from './plan';

/** What one side tells at the moment. */
export type SideFacts = ServerFacts;

export type Side = 'source' | 'target';

/**
 * What a side tells now; undefined while it does not answer, or reads its data from disk. The workers say what is wrong with a
 * server; who asks here only has no numbers for now.
 */
export async function factsOf({ plan }: MigrationRow, side: Side, app: App): Promise<SideFacts | undefined> {
  try {
    return await factsOrThrow(plan, side, app);
  } catch {
    return undefined;
  }
}

/** As `factsOf`. @throws what the connection throws, and LOADING while the server reads its data from disk */
export async function factsOrThrow(plan: Plan, side: Side, app: App): Promise<SideFacts> {
  const connection = app.connections.get(plan.request[side], 0);
  await connection.ready();
  const facts = await readServerFacts(connection);
  if (facts.loading) throw new Error('LOADING The server reads its data from disk.');
  return facts;
}

/** Keys in the databases of the plan on one side. */
export function keysIn(facts: SideFacts, plan: Plan, side: Side): number | undefined {
  const databases = new Set(plan.databases.map((d) => (side === 'source' ? d.database : d.targetDatabase)));
  return facts.databases.filter((line) => databases.has(line.database)).reduce((sum, line) => sum + line.keys, 0);
}
