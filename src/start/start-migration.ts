import { wantsStandby } from '../migration/live';
import { createHash, randomBytes } from 'node:crypto';
import type { App } from '../app/app';
import { isFinal, isSettled, resetIfOlder, rangeName, type MigrationRow, type RangeRow } from '../migration/rows';
import { rangeMessage } from '../ledger/range-queue';
import { startCursor } from '../keyspace/cursor';
import { ConnectionSettingsError } from '../redis/connection-settings';
import { cursorProcessOf } from '../redis/probe';
import { headsOfChains } from '../range/chain';
import { noCounts } from '../migration/counts';
import { firstCourse } from '../migration/course';
import { phaseAt, sideNames, stationOf } from '../migration/phases';
import type { Plan } from '../migration/plan';
import { PlanRefusedError } from '../migration/plan-refusals';
import { chainsOf } from '../range/range-shape';
import { preparePlan, type CheckTold } from './prepare-plan';
import { BadRequestError, type MigrationRequest } from '../migration/request';
import { shapesOf } from '../migration/rows-of-plan';
import { isHashOf, requestHash } from './request-hash';
import { withTimes } from '../migration/side-spec';
import { claimTarget, giveBackTarget } from './target-claims';

/** What a start needs of the app. */
export type StartApp = Pick<App, 'connections' | 'files' | 'ledger' | 'settings' | 'queue' | 'telemetry'>;

/**
 * Plans a migration, writes it down and puts its ranges on the queue. A repeated request with the same requestId gives
 * the migration that is there.
 * @param check of one that is not there yet
 * @throws BadRequestError, PlanRefusedError, RedisError
 */
export async function startMigration(
  request: MigrationRequest,
  app: StartApp,
  check?: CheckTold,
): Promise<MigrationRow> {
  checkConnectionNames(request, app);
  await Promise.all([app.ledger.ensure(), app.queue.ensure()]);
  const id = migrationId(request, app.ledger.time());
  const known = request.requestId === undefined ? undefined : await app.ledger.migrations.get(id);
  if (known !== undefined) return await resumeStart(sameRequest(known, request), app);

  const plan = await preparePlan(atTime(request, app.ledger.time()), app, { check });
  await claimTarget(plan, id, app);
  const row = {
    id,
    state: 'planned',
    ...phaseAt(plan, 0),
    requestHash: requestHash(request),
    plan,
    epoch: 0,
    walkedRunId: cursorProcessOf(plan.source),
    cancelRequested: false,
    cutoverRequestedAt: null,
    stopCause: null,
    course: firstCourse(plan),
    startedAt: app.ledger.time(),
    finishedAt: null,
    cause: null,
    traceparent: app.telemetry.traceparent() ?? null,
    phasesWithRows: [],
    visit: '',
  } as const;
  const isNew = await app.ledger.migrations.create(row);
  if (isNew) app.telemetry.log('info', 'Migration started', { 'keyferry.migration': id });
  const written = await app.ledger.migrations.get(id);
  if (written === undefined) throw new Error('The plan row vanished.');
  const mine = sameRequest(written, request);
  // Another start may have taken the target before this row showed that its holder is there.
  if (isNew) await claimTarget(plan, id, app).catch(withdraw(plan, id, app));
  return isNew ? await ensureRows(mine, app) : await resumeStart(mine, app);
}

function checkConnectionNames(request: MigrationRequest, app: Pick<App, 'connections' | 'files'>): void {
  const mistakes = sideNames.flatMap((path) => {
    const { [path]: side } = request;
    try {
      if (typeof side === 'string') app.connections.get(side, 0);
      else if (side !== null) app.files.get(side.rdb);
      return [];
    } catch (error) {
      if (error instanceof ConnectionSettingsError) return [{ path, message: error.message }];
      throw error;
    }
  });
  if (mistakes.length > 0) throw new BadRequestError(mistakes);
}

/** Of a file that is called by the time of the start. */
function atTime(request: MigrationRequest, now: string): MigrationRequest {
  const { target } = request;
  return target === null || typeof target === 'string'
    ? request
    : { ...request, target: { ...target, file: withTimes(target.file, now) } };
}

/** The id of the migration that a request with this requestId starts. */
export function idFromRequestId(requestId: string): string {
  return `r${createHash('sha256').update(requestId).digest('hex').slice(0, 20)}`;
}

/** The id comes from the requestId where there is one; otherwise it begins with the time. */
function migrationId({ requestId }: MigrationRequest, now: string): string {
  if (requestId !== undefined) return idFromRequestId(requestId);
  const time = now.replace(/\D/g, '').slice(0, 14);
  return `${time}-${randomBytes(4).toString('hex')}`;
}

function sameRequest(row: MigrationRow, request: MigrationRequest): MigrationRow {
  if (isHashOf(row.requestHash, request)) return row;
  throw new PlanRefusedError(
    'requestIdReused',
    'This requestId was used for a migration with another request; use a new one.',
  );
}

/** Takes back the row of a migration that never began, and gives its target back. */
function withdraw(
  plan: Plan,
  id: string,
  app: Pick<App, 'connections' | 'files' | 'ledger'>,
): (error: unknown) => Promise<never> {
  return async (error) => {
    await app.ledger.migrations.delete(id);
    await giveBackTarget(plan, id, app);
    throw error;
  };
}

/**
 * Finishes what a start, or the start of a phase, that was cut short has left; does nothing where it is complete. Where
 * another migration has taken the target before this one began, this one ends.
 * @param begin `ensureRows` where whoever began it has been silent; `writeRows` while it may be under way
 */
export async function resumeStart(
  row: MigrationRow,
  app: Pick<App, 'connections' | 'files' | 'ledger' | 'queue'>,
  begin: typeof ensureRows = ensureRows,
): Promise<MigrationRow> {
  if (row.state !== 'planned') return await begin(row, app);
  try {
    await claimTarget(row.plan, row.id, app);
  } catch (error) {
    if (!(error instanceof PlanRefusedError)) throw error;
    const ended = await app.ledger.migrations.update(row.id, (now) =>
      now.state === 'planned'
        ? { ...now, state: 'failed', finishedAt: app.ledger.time(), cause: error.message }
        : undefined,
    );
    return ended ?? row;
  }
  return await begin(row, app);
}

/**
 * Writes the range rows of the phase that has begun, unless that was done to its end: before that no row of the phase can be
 * missed. Safe to be done twice, and by several at once.
 */
export async function writeRows(row: MigrationRow, app: Pick<App, 'ledger'>): Promise<MigrationRow> {
  if (!isFinal(row) && !hasRows(row)) await app.ledger.ranges.create(rangesOf(row));
  return row;
}

/**
 * Writes the range rows of the phase that has begun and puts its ranges on the queue, unless that was done to its end. For whoever
 * began the phase and, where that one is silent, the keeper: what is sent twice takes ranges from those who work on them.
 */
export async function ensureRows(row: MigrationRow, app: Pick<App, 'ledger' | 'queue'>): Promise<MigrationRow> {
  if (isFinal(row) || hasRows(row)) return row;
  await writeRows(row, app);
  await sendOpenRanges(row, app);
  if (stationOf(row) === 'listening') {
    await app.queue.follow(row);
    if (wantsStandby(row.plan)) await app.queue.follow(row);
  }
  const complete = await app.ledger.migrations.update(row.id, (now) =>
    isFinal(now) || hasRows(now, row.phase)
      ? undefined
      : {
          ...now,
          state: now.state === 'planned' ? 'running' : now.state,
          phasesWithRows: [...now.phasesWithRows, row.phase],
        },
  );
  return complete ?? row;
}

/** Whether the ranges of a phase are all written down, and sent. */
export function hasRows({ phasesWithRows, phase: now }: MigrationRow, phase = now): boolean {
  return phasesWithRows.includes(phase);
}

/** Puts the ranges on the queue that are to be worked on now. Sent twice, a range is worked on once, but whoever has it first loses it. */
export async function sendOpenRanges(row: MigrationRow, app: Pick<App, 'ledger' | 'queue'>): Promise<void> {
  const ranges = (await app.ledger.ranges.list(row.id, row.phase)).map((range) => resetIfOlder(range, row));
  const heads = headsOfChains(ranges, chainsOf(row.plan), isSettled);
  await app.queue.send(heads.map((range) => rangeMessage(row, range.name)));
}

/** The range rows of a migration's phase, as they are before anything is done. */
export function rangesOf({
  id,
  plan,
  phase,
  epoch,
  pass,
}: Pick<MigrationRow, 'id' | 'plan' | 'phase' | 'epoch' | 'pass'>): Omit<RangeRow, 'etag'>[] {
  return shapesOf(plan, phase).map((shape) => ({
    ...shape,
    migration: id,
    phase,
    name: rangeName(phase, shape.number),
    state: 'planned',
    epoch,
    pass,
    generation: 0,
    builders: [],
    cursor: String(startCursor(shape)),
    inside: false,
    wroteAhead: false,
    presumedOwn: 0,
    share: 0,
    counts: noCounts,
    borders: [],
    piece: null,
    findingRuns: [],
    progress: 0,
    tries: 0,
    begunAnew: 0,
    restsUntil: null,
    clockDoubtMs: 0,
    heartbeat: null,
    trouble: null,
    cause: null,
  }));
}
