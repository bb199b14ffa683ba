import { startPhase } from './start-phase';
import { visitMigration, type Visit, type VisitApp } from './tally-visit';

/** Makes a visit and begins the phase that it found to be due. Anybody may, at any time. Undefined for an unknown migration. */
export async function tendMigration(id: string, app: VisitApp): Promise<Visit | undefined> {
  const visit = await visitMigration(id, app);
  if (visit?.due) await startPhase(id, visit.due, app);
  return visit;
}
