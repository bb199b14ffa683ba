import { createHash, randomBytes } from 'node:crypto';
import type { App } from '../app/app';
import { isFinal, isSettled, inEpoch, rangeName, type MigrationRow, type Phase, type RangeRow } from '../ledger/rows';
import { rangeMessage } from '../ledger/range-queue';
import { startCursor } from '../keyspace/cursor';
import { ConnectionSettingsError } from '../redis/connection-settings';
import { headsOfChains } from './chain';
import { noCounts } from './counts';
import { PlanRefusedError, type Plan } from './plan';
import { parallelRangesOf, walkedDatabases } from './range-shape';
import { preparePlan } from './prepare-plan';
import { BadRequestError, type MigrationRequest } from './request';

/**
 * Plans a migration, writes it down and puts its ranges on the queue. A repeated request with the same requestId gives
 * the migration that is there.
 * @throws BadRequestError, PlanRefusedError, UnreachableError
 */
export async function startMigration(request: MigrationRequest, app: App): Promise<MigrationRow> {
  checkConnectionNames(request, app);
  await Promise.all([app.ledger.ensure(), app.queue.ensure()]);
  const requestHash = createHash('sha256').update(JSON.stringify(request)).digest('hex');
  const id = migrationId(request);
  const known = request.requestId === undefined ? undefined : await app.ledger.getMigration(id);
  if (known !== undefined) return await resumeStart(sameRequest(known, requestHash), app);

  const plan = await preparePlan(request, app);
  await claimTarget(plan, id, app);
  const row = {
    id,
    state: 'planned',
    phase: 'copy',
    requestHash,
    plan,
    epoch: 0,
    sourceRunId: plan.source.runId,
    cancelRequested: false,
    startedAt: new Date().toISOString(),
    finishedAt: null,
    cause: null,
    traceparent: app.telemetry.traceparent() ?? null,
  } as const;
  const isNew = await app.ledger.createMigration(row);
  // Another start may have taken the target before this row showed that its holder is there.
  if (isNew) await claimTarget(plan, id, app).catch(withdraw(id, app));
  if (isNew) app.telemetry.log('info', 'Migration started', { 'keyferry.migration': id });
  const written = await app.ledger.getMigration(id);
  if (written === undefined) throw new Error('The plan row vanished.');
  return await resumeStart(sameRequest(written, requestHash), app);
}

function checkConnectionNames({ source, target }: MigrationRequest, app: App): void {
  const mistakes = [
    ['source', source],
    ['target', target],
  ].flatMap(([path = '', name = '']) => {
    try {
      app.connections.get(name, 0);
      return [];
    } catch (error) {
      if (error instanceof ConnectionSettingsError) return [{ path, message: error.message }];
      throw error;
    }
  });
  if (mistakes.length > 0) throw new BadRequestError(mistakes);
}

/** The id of the migration that a request with this requestId starts. */
export function idFromRequestId(requestId: string): string {
  return `r${createHash('sha256').update(requestId).digest('hex').slice(0, 20)}`;
}

/** The id comes from the requestId where there is one; otherwise it begins with the time. */
function migrationId({ requestId }: MigrationRequest): string {
  if (requestId !== undefined) return idFromRequestId(requestId);
  const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  return `${time}-${randomBytes(4).toString('hex')}`;
}

function sameRequest(row: MigrationRow, requestHash: string): MigrationRow {
  if (row.requestHash === requestHash) return row;
  throw new PlanRefusedError(
    409,
    'requestIdReused',
    'This requestId was used for a migration with another request; use a new one.',
  );
}

async function claimTarget(plan: Plan, id: string, app: App): Promise<void> {
  const { request, target } = plan;
  // What writes nothing may look on while others write.
  if (request.mode === 'compare' || request.mode === 'dry-run') return;
  const holder = await app.ledger.claimTarget(target.runId || request.target.toUpperCase(), id, async (other) => {
    const row = await app.ledger.getMigration(other);
    return row !== undefined && !isFinal(row);
  });
  if (holder !== id) {
    throw new PlanRefusedError(
      409,
      'targetBusy',
      `The migration ${holder} is writing to the target "${request.target}"; wait for it or cancel it.`,
    );
  }
}

/** Takes back the row of a migration that never began. */
function withdraw(id: string, app: App): (error: unknown) => Promise<never> {
  return async (error) => {
    await app.ledger.deleteMigration(id);
    throw error;
  };
}

/** Finishes what a start that was cut short has left; does nothing where the start is complete. */
export async function resumeStart(row: MigrationRow, app: App): Promise<MigrationRow> {
  if (row.state !== 'planned') return row;
  await app.ledger.createRanges(rangesOf(row.plan, row.id, 'copy', row.epoch));
  await sendOpenRanges(row, app);
  const running = await app.ledger.updateMigration(row.id, (now) =>
    now.state === 'planned' ? { ...now, state: 'running' } : undefined,
  );
  return running ?? row;
}

/** Puts the ranges on the queue that are to be worked on now. Sent twice, a range is worked on once. */
export async function sendOpenRanges(row: MigrationRow, app: App): Promise<void> {
  const ranges = (await app.ledger.listRanges(row.id, row.phase)).map((range) => inEpoch(range, row.epoch));
  const heads = headsOfChains(ranges, parallelRangesOf(row.plan), isSettled);
  await app.queue.send(heads.map((range) => rangeMessage(row, range.name)));
}

/** The range rows of a phase, as they are before anything is done. */
export function rangesOf(plan: Plan, migration: string, phase: Phase, epoch: number): Omit<RangeRow, 'etag'>[] {
  const shapes = walkedDatabases(plan, phase).flatMap(({ database, bits }) =>
    Array.from({ length: 2 ** bits }, (_, index) => ({ database, index, bits })),
  );
  return shapes.map((shape, number) => ({
    ...shape,
    migration,
    phase,
    number,
    name: rangeName(phase, number),
    state: 'planned',
    epoch,
    generation: 0,
    builders: [],
    cursor: String(startCursor(shape)),
    share: 0,
    counts: noCounts,
    heartbeat: null,
    trouble: null,
    cause: null,
  }));
}
