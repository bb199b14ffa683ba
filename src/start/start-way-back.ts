import { PlanRefusedError } from '../migration/plan-refusals';
import { BadRequestError } from '../migration/request';
import { isFinal, type MigrationRow } from '../migration/rows';
import { wayBackOf, type WayBack } from '../migration/way-back';
import { startMigration, type StartApp } from './start-migration';

/**
 * Starts the way back of a live migration that has ended by a proved cut-over, where that was asked for; does nothing where it was started,
 * or is not to be. Safe to be called twice, and by several at once.
 * @throws RedisError, StorageError: to be called again
 */
export async function startWayBack(id: string, app: StartApp): Promise<void> {
  const ended = await app.ledger.migrations.get(id);
  if (ended === undefined || !isFinal(ended) || !isDue(ended)) return;
  const wayBack = ended.state === 'completed' ? await start(id, ended.plan, app) : NOT_EQUAL;
  await app.ledger.migrations.update(id, (row) => ({ ...row, wayBack }));
}

function isDue({ wayBack }: MigrationRow): boolean {
  return wayBack?.migration === null && wayBack.refused === null;
}

const NOT_EQUAL: WayBack = {
  migration: null,
  refused: 'The cut-over was not completed: what the new side lacks would be deleted from the old one.',
};

async function start(id: string, plan: Parameters<typeof wayBackOf>[1], app: StartApp): Promise<WayBack> {
  const way = wayBackOf(id, plan);
  if ('refused' in way) return { migration: null, refused: way.refused };
  try {
    return { migration: (await startMigration(way.request, app)).id, refused: null };
  } catch (error) {
    if (error instanceof PlanRefusedError || error instanceof BadRequestError) {
      return { migration: null, refused: error.message };
    }
    throw error;
  }
}
