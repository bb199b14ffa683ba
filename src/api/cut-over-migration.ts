import type { App } from '../app/app';
import { makeLiveReport } from '../migration/live';
import { isFollowed } from '../migration/phases';
import { PlanRefusedError } from '../migration/plan-refusals';
import { isFinal, isSign, type MigrationRow } from '../migration/rows';

/**
 * Asks for the cut-over of a migration whose source is followed: from then on it waits until the source stands still, proves that all
 * of it is on the target, and ends. Asked for again it changes nothing. Undefined when there is no such migration.
 * @throws PlanRefusedError while it is not ready, with the reason
 */
export async function cutOverMigration(
  id: string,
  app: Pick<App, 'ledger' | 'settings' | 'watch'>,
): Promise<MigrationRow | undefined> {
  const migration = await app.ledger.migrations.get(id);
  if (migration === undefined) return undefined;
  if (!isFollowed(migration.plan))
    throw new PlanRefusedError('notReady', 'Only a migration in mode live has a cut-over.');
  if (isFinal(migration) || migration.cutoverRequestedAt !== null) return migration;
  const row = await app.ledger.live.get(id);
  const works = row !== undefined && isSign(row.heartbeat, app.ledger.now(), app.settings.silenceSeconds * 1_000);
  const reason = makeLiveReport(migration, row, works)?.notReady ?? null;
  if (reason !== null) throw new PlanRefusedError('notReady', `The cut-over is not ready. ${reason}`);
  const asked = await app.ledger.migrations.update(id, (now) =>
    isFinal(now) || now.cancelRequested || now.cutoverRequestedAt !== null
      ? undefined
      : { ...now, cutoverRequestedAt: app.ledger.time() },
  );
  app.watch.forget(id);
  return asked;
}
