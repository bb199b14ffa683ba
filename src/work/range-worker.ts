import type { App } from '../app/app';
import { LostRowError } from '../ledger/range-rows';
import { debt, owedMsOf, rangeMessage, type RangeMessage } from '../ledger/range-queue';
import {
  backAtStart,
  isFinal,
  isSettled,
  isSign,
  LONGEST_REST_MS,
  resetIfOlder,
  type MigrationRow,
  type RangeRow,
} from '../migration/rows';
import { isFollowed, phaseOf } from '../migration/phases';
import { connectionOf } from '../migration/side-spec';
import { SourceDoubtError } from '../compare/delete-extra';
import { attempt } from '../transfer/attempt';
import { BeginsAnewError, HopelessError, pause, SourceChangedError, StoppedError } from '../migration/stop';
import type { RangeEnd } from '../telemetry/telemetry';
import { continueChain, lanesLeft } from '../range/chain';
import { PagePlace } from '../range/page-place';
import { holdMsOf, RangeJob, type JobApp } from '../range/range-job';
import { rangeWorkOf, type WorkApp } from './range-work';
import { readableMigration } from '../app/readable-migration';
import { settleBroken, stopMigration } from '../tally/settle-ranges';
import { restartRanges } from '../tally/restart-ranges';
import { askSide, factsOrThrow, type SideFacts } from '../app/side-facts';
import { SAME_SERVER, whySidesMet } from '../migration/same-server';
import { isRedisError } from '../redis/errors';

/** What a worker needs of the app. */
export type WorkerApp = WorkApp & JobApp & Pick<App, 'queue'>;

/** How long a range that hands itself on because of trouble waits, seconds. */
const TROUBLE_DELAY_S = 5;

/** So often a range begins at its start again, each time a little later: slots that move one after the other take a while. */
const MOST_BEGINNINGS = 40;

/** So often a row is taken once more from workers of a walk before, who write it for the last time in the same moment. */
const MOST_CLAIMS = 20;

/**
 * Works on the range that a message names, until it is settled or has handed itself on. Safe to be called twice, late, or
 * by two workers at once: who took the row last goes on, the other one's writes to the row fail and it stops.
 * @throws the error that will not pass by itself, after writing it into the row: the queue delivers again, and at last
 * to the poison queue
 * @param workOf what is done with the keys of a range
 */
export async function workOnRange(message: RangeMessage, app: WorkerApp, workOf = rangeWorkOf): Promise<void> {
  await app.telemetry.inRange(message, () => work(message, app, workOf));
}

async function work(message: RangeMessage, app: WorkerApp, workOf: typeof rangeWorkOf): Promise<RangeEnd> {
  // Not from the watch: a row even a second old could belong to the epoch before, and the message would be lost to it.
  const migration = await readableMigration(message.migration, app);
  if (migration === undefined || isFinal(migration)) return 'idle';
  const claimed = await claim(message, migration, app);
  if (claimed === undefined) return 'idle';
  const { job, restMs } = claimed;
  try {
    await pause(restMs, job);
    await workOf(migration)(job, app);
    await job.settle('done');
    await continueChain(job.row, migration, app, job.owedMs);
    return 'done';
  } catch (error) {
    try {
      return await endEarly(error, job, migration, app);
    } catch (last) {
      // Another worker took the row while this one wrote its last.
      if (!(last instanceof StoppedError)) throw last;
      return 'lost';
    }
  } finally {
    job.end();
  }
}

/** What was done ahead of the row's cursor; undefined where there is nothing, or where it is lost. */
async function placeOf(row: RangeRow, app: WorkerApp): Promise<PagePlace | undefined> {
  return row.inside ? PagePlace.read(await app.ledger.pagePlaces.get(row)) : undefined;
}

/** A range that was taken, and for how long whoever had it before may still write to the target, ms. */
interface Claimed {
  readonly job: RangeJob;
  readonly restMs: number;
}

/** Takes the range that a message names; undefined where nothing is to be done with it, or another worker of this walk has taken it. */
async function claim(message: RangeMessage, migration: MigrationRow, app: WorkerApp): Promise<Claimed | undefined> {
  for (let claims = 1; ; claims++) {
    const known = await app.ledger.ranges.get(message.migration, message.range);
    // A late message of a phase before.
    if (known?.phase !== migration.phase) return undefined;
    // In the same moment another worker of this walk took it, or of the next one: it is in good hands.
    if (claims > 1 && known.epoch >= migration.epoch) return undefined;
    if (known.broken) {
      await settleBroken(known, migration, app);
      return undefined;
    }
    const row = resetIfOlder(known, migration);
    if (isSettled(row)) {
      await continueChain(row, migration, app);
      return undefined;
    }
    try {
      return await take(row, migration, message, await placeOf(row, app), app);
    } catch (error) {
      if (!(error instanceof LostRowError) || claims === MOST_CLAIMS) throw error;
    }
  }
}

/** @throws LostRowError where another worker wrote the row since it was read */
async function take(
  row: RangeRow,
  migration: MigrationRow,
  message: RangeMessage,
  place: PagePlace | undefined,
  app: WorkerApp,
): Promise<Claimed | undefined> {
  const owedMs = debtOf(migration, message, app);
  const takenAt = performance.now();
  // Its counts have keys in them that nobody could tell any more: it begins at its start.
  const from = row.inside && place === undefined ? backAtStart(row) : row;
  const claimed = await app.ledger.ranges.replace({
    ...from,
    state: migration.cancelRequested ? 'cancelled' : 'active',
    generation: row.generation + 1,
    // Whoever had it, and did not hand it on, may have written keys that are in no count.
    wroteAhead: from.wroteAhead || row.state === 'active',
    // Who pays off what another has taken tries nothing yet.
    tries: row.tries + (owedMs > 0 ? 0 : 1),
    restsUntil: null,
    trouble: null,
    cause: null,
    heartbeat: app.ledger.time(),
  });
  const lanes = await lanesLeft(migration, app);
  const start = { takenAt, owedMs, lanes, ...(place && { place }) };
  if (migration.cancelRequested) return undefined;
  return { job: new RangeJob(claimed, migration, app, start), restMs: holdLeftMs(row, app) };
}

/** For how long whoever has a range may still write to the target although it is taken from them, ms: until their hold is over. */
function holdLeftMs(
  { state, heartbeat }: RangeRow,
  { ledger, settings }: Pick<WorkerApp, 'ledger' | 'settings'>,
): number {
  const mayLive = state === 'active' && isSign(heartbeat, ledger.now(), settings.silenceSeconds * 1_000);
  return mayLive ? holdMsOf(settings) : 0;
}

/** Where no rate is kept there is nothing to pay off, whatever a message says. */
function debtOf({ plan }: MigrationRow, message: RangeMessage, app: Pick<App, 'ledger'>): number {
  const { keysPerSecond, bytesPerSecond } = plan.request.limits;
  return keysPerSecond === 0 && bytesPerSecond === 0 ? 0 : owedMsOf(message, app.ledger.now());
}

async function endEarly(error: unknown, job: RangeJob, migration: MigrationRow, app: WorkerApp): Promise<RangeEnd> {
  // What concerns the whole migration only says who still has the range: what others have done since looks wrong to whoever has not.
  if (isOfMigration(error)) await job.checkpoint();
  if (error instanceof StoppedError) {
    if (error.reason === 'lost') return 'lost';
    if (error.reason === 'cancelled') {
      await job.settle('cancelled');
      return 'cancelled';
    }
    await job.handOn();
    const message = rangeMessage(migration, job.row.name, debt(job.owedMs, app.ledger.now()));
    await app.queue.send([message], job.row.trouble === null ? 0 : TROUBLE_DELAY_S);
    return 'handedOn';
  }
  if (error instanceof LostRowError) return 'lost';
  if (error instanceof SourceChangedError && isFollowed(migration.plan) && isOverSource(migration)) {
    // Whoever follows says first whether what the source has now is to be believed: then another pass begins.
    return await endedInGap(job, migration, app);
  }
  if (error instanceof SourceChangedError) {
    const facts = await walkedFacts(job, migration, app).catch((last: unknown) => last);
    if (facts instanceof Error) return await endEarly(facts, job, migration, app);
    const met = await whyMet(facts as SideFacts, migration, app);
    if (met !== undefined) return await stopped(met, job, migration, app);
    const before = (await app.ledger.snapshots.get(migration.id)) ?? { sourceKeysNow: null };
    const result = await restartRanges(migration, error.runId, facts as SideFacts, before, app);
    if (result === 'begun') return 'restarted';
    // Otherwise the endpoint leads to the process that was planned with again, and the range goes on after a while.
    if (result === 'same') job.trouble('The endpoint leads to one server process and to another in turns.');
    return await endEarly(new StoppedError(result === 'stopped' ? 'cancelled' : 'deadline'), job, migration, app);
  }
  if (error instanceof BeginsAnewError && job.row.begunAnew < MOST_BEGINNINGS) {
    const { begunAnew, name } = job.row;
    const restMs = Math.min(LONGEST_REST_MS, 1_000 * (2 ** begunAnew - 1));
    await job.beginAnew(`${error.message} The range begins at its start again.`, restMs);
    const message = rangeMessage(migration, name, debt(job.owedMs, app.ledger.now()));
    await app.queue.send([message], restMs / 1_000);
    return 'handedOn';
  }
  if (error instanceof SourceDoubtError) {
    if (error.isGap && isFollowed(migration.plan)) return await endedInGap(job, migration, app);
    return await stopped(error.message, job, migration, app);
  }
  if (error instanceof HopelessError) return await stopped(error.message, job, migration, app);
  if (isRedisError(error, 'sameServer')) return await stopped(SAME_SERVER, job, migration, app);
  await job.giveUp(causeOf(error)).catch(() => undefined);
  throw error;
}

/** Whether what ended the work may end, or begin anew, more than the range. */
function isOfMigration(error: unknown): boolean {
  const kinds = [SourceChangedError, SourceDoubtError, HopelessError];
  return kinds.some((kind) => error instanceof kind) || isRedisError(error, 'sameServer');
}

async function stopped(cause: string, job: RangeJob, migration: MigrationRow, app: WorkerApp): Promise<RangeEnd> {
  const now = await stopMigration(migration, cause, app);
  // It is in another walk by now, in which the cause counts no more, and the row is as well.
  if (now?.cancelRequested !== true) return 'lost';
  await job.settle('cancelled');
  return 'cancelled';
}

/** Why the walked side, which is another process by now, is not apart from the other one any more; of that the last that is known counts where it does not answer. */
async function whyMet(
  walked: SideFacts,
  migration: MigrationRow,
  app: Pick<App, 'connections'>,
): Promise<string | undefined> {
  const { plan, course } = migration;
  const side = phaseOf(plan, migration).side === 'source' ? 'target' : 'source';
  const other = (await askSide(migration, side, app)).facts ?? course.seen[side];
  return side === 'target' ? whySidesMet(plan, walked, other) : whySidesMet(plan, other, walked);
}

/** What is left of a pass that proves nothing any more is left out. */
async function endedInGap(job: RangeJob, migration: MigrationRow, app: WorkerApp): Promise<RangeEnd> {
  await voidPass(migration, app);
  await job.settle('done');
  await continueChain(job.row, migration, app, job.owedMs);
  return 'done';
}

function isOverSource({ plan, ...migration }: MigrationRow): boolean {
  return phaseOf(plan, migration).side === 'source';
}

/** What the pass under way has found proves nothing any more: another one begins. */
async function voidPass({ id, epoch }: MigrationRow, app: Pick<App, 'ledger' | 'watch'>): Promise<void> {
  await app.ledger.migrations.update(id, (now) =>
    isFinal(now) || now.epoch !== epoch ? undefined : { ...now, course: { ...now.course, session: '' } },
  );
  app.watch.forget(id);
}

/** What the walked side tells as soon as it answers. @throws StoppedError, or what will not pass */
async function walkedFacts(job: RangeJob, migration: MigrationRow, app: Pick<App, 'connections'>): Promise<SideFacts> {
  const { plan } = migration;
  const { side } = phaseOf(plan, migration);
  const connection = app.connections.get(connectionOf(plan.request[side]), 0);
  const onTrouble = (trouble: string | null) => {
    job.trouble(trouble);
  };
  return await attempt({ sides: [{ connection, runId: undefined }], stop: job, onTrouble }, () =>
    factsOrThrow(plan, side, app),
  );
}

/** An error in words for people, without addresses and secrets. */
function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : 'An unknown error.';
}
