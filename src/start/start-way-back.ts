import { randomUUID } from 'node:crypto';
import { PlanRefusedError } from '../migration/plan-refusals';
import type { ToldFacts } from '../migration/plan-facts';
import { BadRequestError } from '../migration/request';
import { isWayBackDue, type MigrationRow } from '../migration/rows';
import { lostSinceProof, wayBackOf, type ProvedSides, type WayBack } from '../migration/way-back';
import { idFromRequestId, startMigration, type StartApp } from './start-migration';
import { targetBusy, writerOf } from './target-claims';

/** For so long it is tried to start a way back, from the verdict on, ms. */
const PATIENCE_MS = 10 * 60_000;
/** Whoever has not ended an attempt by then is gone, ms. */
const ATTEMPT_MS = 60_000;

/** What came of an attempt: trouble passes, perhaps. */
type Outcome = { readonly migration: string } | { readonly refused: string } | { readonly trouble: string };

/**
 * Starts the way back of a live migration that has ended by a proved cut-over, where that was asked for and is not done; notes what came of
 * it. Whoever looks after open migrations calls it until it is started or refused. Safe to be called by several at once.
 * @throws StorageError
 */
export async function startWayBack(id: string, app: StartApp): Promise<void> {
  const by = randomUUID();
  const at = app.ledger.time();
  const taken = await app.ledger.migrations.update(id, (row) =>
    row.wayBack !== undefined && isWayBackDue(row) && isFree(row.wayBack, Date.parse(at))
      ? { ...row, wayBack: { ...row.wayBack, attempt: { by, at } } }
      : undefined,
  );
  if (taken?.wayBack?.attempt?.by !== by) return;
  const outcome = await attempt(taken, taken.wayBack, app);
  await app.ledger.migrations.update(id, (row) => noted(row, by, outcome, app));
}

function isFree({ attempt }: WayBack, now: number): boolean {
  return attempt === null || Math.abs(now - Date.parse(attempt.at)) > ATTEMPT_MS;
}

function noted(
  row: MigrationRow,
  by: string,
  outcome: Outcome,
  { ledger, telemetry }: Pick<StartApp, 'ledger' | 'telemetry'>,
): MigrationRow | undefined {
  const { wayBack } = row;
  if (wayBack === undefined) return undefined;
  const over = { ...wayBack, trouble: null, attempt: null };
  // Another attempt may have been refused for what this one has tried.
  if ('migration' in outcome) return { ...row, wayBack: { ...over, migration: outcome.migration, refused: null } };
  if (wayBack.attempt?.by !== by) return undefined;
  const attributes = { 'keyferry.migration': row.id };
  if ('refused' in outcome) {
    telemetry.log('warn', 'The way back is refused', { ...attributes, 'keyferry.trouble': outcome.refused });
    return { ...row, wayBack: { ...over, refused: outcome.refused } };
  }
  const { trouble } = outcome;
  telemetry.log('warn', 'The way back is not started yet', { ...attributes, 'keyferry.trouble': trouble });
  const isLate = ledger.now() - Date.parse(row.finishedAt ?? '') > PATIENCE_MS;
  return {
    ...row,
    wayBack: isLate
      ? { ...over, refused: `It could not be started for ${PATIENCE_MS / 60_000} minutes. ${trouble}` }
      : { ...over, trouble },
  };
}

const NOT_EQUAL =
  'The cut-over was not completed: what the new side lacks would be deleted from the old one. Start one by hand where that is right.';

async function attempt({ id, state, plan }: MigrationRow, { proved }: WayBack, app: StartApp): Promise<Outcome> {
  const way = wayBackOf(id, plan);
  if (state !== 'completed' || proved === null) return { refused: NOT_EQUAL };
  if ('refused' in way) return way;
  try {
    const started = await startMigration(way.request, app, (told) => check(told, plan, proved, app));
    return { migration: started.id };
  } catch (error) {
    if (error instanceof BadRequestError) return { refused: error.explained };
    if (error instanceof PlanRefusedError && error.code !== 'targetBusy') return { refused: error.message };
    return { trouble: error instanceof Error ? error.message : String(error) };
  }
}

/** @throws PlanRefusedError */
async function check(
  told: ToldFacts,
  forward: MigrationRow['plan'],
  proved: ProvedSides,
  app: StartApp,
): Promise<void> {
  const lost = lostSinceProof(forward, proved, told);
  if (lost !== undefined) throw new PlanRefusedError('sourceLooksWrong', lost);
  // An attempt that is tried again must not have tried anything on the old side.
  const holder = await writerOf('target', told, app);
  const own = told.request.requestId === undefined ? undefined : idFromRequestId(told.request.requestId);
  if (holder !== undefined && holder !== own) throw targetBusy(holder, told);
}
