import { OF_SCHEDULES } from '../migration/request';
import { isFinal, type MigrationRow } from '../migration/rows';
import { latestDue } from './due';
import type { ScheduledRun, ScheduleRow } from '../ledger/schedule-ledger';
import type { Schedule } from './schedule-settings';
import { millisecondsOf } from './when';

/** What is to be done about a schedule now. Times are milliseconds since 1970. */
export type Decision =
  | { readonly kind: 'nothing' }
  /** Due, but the migration of the run before has not ended. */
  | { readonly kind: 'wait'; readonly due: number; readonly for: string }
  /** To be claimed, then started. */
  | { readonly kind: 'begin'; readonly due: number }
  /** Claimed already: to be tried again. */
  | { readonly kind: 'retry'; readonly run: ScheduledRun };

/** A claimed run that has been tried for so long gives way to one that came due since. No start takes so long. */
const GIVES_WAY_MS = 10 * 60_000;

/** A run that begins so late is not yet a missed one: the clock is looked at every minute, and apps take time to start. */
const ON_TIME_MS = 5 * 60_000;

/** The row of a schedule that was never seen before: what came due before `since` was not missed. */
export function firstRow(schedule: Schedule, since: number): Omit<ScheduleRow, 'etag'> {
  return { name: schedule.name, when: whenText(schedule), settledUntil: new Date(since).toISOString(), run: null };
}

/**
 * The row as it is for the schedule that is set now. Where its times are others than before, nothing of them was missed
 * before `since`, when this process read them, and a run of the old times that has not started is dropped.
 */
export function adopt(row: ScheduleRow, schedule: Schedule, since: number): ScheduleRow {
  const when = whenText(schedule);
  if (row.when === when) return row;
  return {
    ...row,
    when,
    settledUntil: laterOf(row.settledUntil, since),
    run: row.run?.state === 'starting' ? null : row.run,
  };
}

/**
 * Decides what to do. However many runs were missed, one is made up for: the last.
 * @param migration the migration of the row's run, where there is one
 */
export function decide(
  schedule: Schedule,
  row: ScheduleRow,
  migration: Pick<MigrationRow, 'state'> | undefined,
  now: number,
): Decision {
  const { run } = row;
  const newest = newestDue(schedule, row, now);
  if (run?.state === 'starting') {
    const mayGiveWay = migration === undefined && now - Date.parse(run.claimedAt) > GIVES_WAY_MS;
    const isOvertaken = newest !== undefined && newest > Date.parse(run.due);
    return mayGiveWay && isOvertaken ? { kind: 'begin', due: newest } : { kind: 'retry', run };
  }
  if (newest === undefined) return { kind: 'nothing' };
  if (run !== null && migration !== undefined && !isFinal(migration)) {
    return { kind: 'wait', due: newest, for: run.migration };
  }
  return { kind: 'begin', due: newest };
}

/** The row after its run has started or was refused: what came due until now is settled with it. */
export function settled(row: ScheduleRow, run: ScheduledRun, now: number): ScheduleRow {
  return { ...row, run, settledUntil: laterOf(run.due, now) };
}

/** What a run's migration gets as its requestId, so that each run starts one migration, however often it is tried. */
export function requestIdOf(schedule: Schedule, due: number): string {
  return `${OF_SCHEDULES}${schedule.name.toLowerCase()}:${new Date(due).toISOString()}`;
}

function newestDue({ when, catchUp }: Schedule, { settledUntil }: ScheduleRow, now: number): number | undefined {
  const oldest = catchUp === undefined ? -Infinity : now - ON_TIME_MS - millisecondsOf(catchUp) - 1;
  return latestDue(when, Math.max(Date.parse(settledUntil), oldest), now)?.at;
}

function laterOf(iso: string, ms: number): string {
  return new Date(Math.max(Date.parse(iso), ms)).toISOString();
}

function whenText({ when }: Schedule): string {
  return JSON.stringify(when);
}
