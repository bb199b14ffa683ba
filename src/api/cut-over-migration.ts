import { z } from 'zod';
import type { App } from '../app/app';
import { makeLiveReport } from '../migration/live';
import { isFollowed } from '../migration/phases';
import type { ToldFacts } from '../migration/plan-facts';
import { PlanRefusedError } from '../migration/plan-refusals';
import { parsedBy } from '../migration/request';
import { isFinal, isSign, type MigrationRow } from '../migration/rows';
import { askedWayBack, unprovedDatabase, wayBackOf } from '../migration/way-back';
import { preparePlan } from '../start/prepare-plan';

/** What may be said with a cut-over. */
export const cutOverSchema = z
  .strictObject({
    reverse: z
      .boolean()
      .default(false)
      .describe('Once it is completed, start a live migration back: the old side follows the new one.'),
  })
  .meta({ id: 'CutOver' });

/** @throws BadRequestError */
export function parseCutOver(body: unknown): z.output<typeof cutOverSchema> {
  return parsedBy(cutOverSchema, body);
}

/**
 * Asks for the cut-over of a migration whose source is followed: from then on it waits until the source stands still, proves that all
 * of it is on the target, and ends. Asked for again it changes nothing. Undefined when there is no such migration.
 * @throws PlanRefusedError while it is not ready, with the reason
 */
export async function cutOverMigration(
  id: string,
  app: Pick<App, 'connections' | 'files' | 'ledger' | 'settings' | 'watch'>,
  { reverse }: { readonly reverse: boolean } = { reverse: false },
): Promise<MigrationRow | undefined> {
  const migration = await app.ledger.migrations.get(id);
  if (migration === undefined) return undefined;
  if (!isFollowed(migration.plan))
    throw new PlanRefusedError('notReady', 'Only a migration in mode live has a cut-over.');
  if (reverse) refuseTooLate(migration);
  const isAsked = migration.cutoverRequestedAt !== null && (!reverse || migration.wayBack !== undefined);
  if (isFinal(migration) || isAsked) return migration;
  const row = await app.ledger.live.get(id);
  const works = row !== undefined && isSign(row.heartbeat, app.ledger.now(), app.settings.silenceSeconds * 1_000);
  const reason = makeLiveReport(migration, row, works, app.ledger.now())?.notReady ?? null;
  if (reason !== null) throw new PlanRefusedError('notReady', `The cut-over is not ready. ${reason}`);
  if (reverse) await checkWayBack(migration, app);
  const asked = await app.ledger.migrations.update(id, (now) =>
    isFinal(now) || now.cancelRequested
      ? undefined
      : {
          ...now,
          cutoverRequestedAt: now.cutoverRequestedAt ?? app.ledger.time(),
          ...(reverse ? { wayBack: now.wayBack ?? askedWayBack } : {}),
        },
  );
  app.watch.forget(id);
  if (reverse && asked !== undefined) refuseTooLate(asked);
  return asked;
}

/** @throws PlanRefusedError where it has ended, and no way back was asked for before */
function refuseTooLate(migration: MigrationRow): void {
  if (migration.wayBack !== undefined || !(isFinal(migration) || migration.cancelRequested)) return;
  throw new PlanRefusedError(
    'notReady',
    'The migration has ended, or is about to: the way back must be asked for with its cut-over. Start a live migration with the sides exchanged, as docs/live.md has it.',
  );
}

/** Whether the way back could be started now. @throws PlanRefusedError where it could not, RedisError */
async function checkWayBack(
  { id, plan }: MigrationRow,
  app: Pick<App, 'connections' | 'files' | 'ledger' | 'settings'>,
): Promise<void> {
  const refuse = (reason: string) => {
    throw new PlanRefusedError('notReady', `There is no way back, and the cut-over was not begun. ${reason}`);
  };
  const way = wayBackOf(id, plan);
  if ('refused' in way) return refuse(way.refused);
  try {
    const check = (told: ToldFacts) => {
      const other = unprovedDatabase(plan, told);
      if (other !== undefined) refuse(other);
    };
    await preparePlan(way.request, app, { check });
  } catch (error) {
    if (error instanceof PlanRefusedError && error.code !== 'notReady') refuse(error.message);
    throw error;
  }
}
