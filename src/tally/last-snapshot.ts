import type { App } from '../app/app';
import { undefinedIfUnreadable } from '../ledger/row-schemas';
import { accountedKeys } from '../migration/counts';
import { isFinal, isSameWalk, type MigrationRow, type RangeRow } from '../migration/rows';
import { rowsOfPlan } from '../migration/rows-of-plan';
import { percentOf } from '../migration/progress';
import { firstSnapshot, type Snapshot } from '../migration/report';
import { sumShards } from '../migration/shards';
import { workDone } from './snapshot';
import { sumHeld, sumRanges } from './sum';

/** Of so many ranges storage gives all rows in one answer: of more, a sum is shown as it was kept for so long, ms. */
const RANGES_AN_ANSWER = 1_000;
const FRESH_MS = 5_000;
/** A report is asked for several times a second, by each who watches: rows that were read so long ago will do, ms. */
const ROWS_FRESH_MS = 700;

/**
 * The tally's last sum, brought up to date by the range rows: who reads it waits for no tally. What the sides told, and the
 * warnings, are of the last visit; all is, while a row cannot be read: what that means a visit says.
 */
export async function freshSnapshot(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<Snapshot> {
  const sum = await newestSnapshot(migration, app);
  if (isFinal(migration)) return sum;
  const told = toldOf(app.ledger);
  const before = told.get(migration.id);
  // A sum may be of rows that were read before those that were told last: numbers do not go down for that.
  const isBehind =
    before !== undefined &&
    isSameWalk(before.migration, migration) &&
    performance.now() - before.at < TOLD_MS &&
    accountedKeys(sum.counts) < accountedKeys(before.sum.counts);
  if (isBehind) return { ...sum, ...workOf(before.sum) };
  told.delete(migration.id);
  told.set(migration.id, { at: performance.now(), migration, sum });
  for (const [oldest] of told) if (told.size > MOST_TOLD) told.delete(oldest);
  return sum;
}

/** What was told last of a migration, and when. */
interface Told {
  readonly at: number;
  readonly migration: Pick<MigrationRow, 'epoch' | 'phase' | 'pass'>;
  readonly sum: Snapshot;
}

/** For so long it counts, ms: ranges that begin at their start again count less, and are told then. */
const TOLD_MS = 15_000;
const MOST_TOLD = 50;
const toldByLedger = new WeakMap<App['ledger'], Map<string, Told>>();

function toldOf(ledger: App['ledger']): Map<string, Told> {
  const told = toldByLedger.get(ledger) ?? new Map<string, Told>();
  toldByLedger.set(ledger, told);
  return told;
}

/** What belongs to one reading of the rows. */
function workOf({ counts, findingsKept, progress, history, shards }: Snapshot): Partial<Snapshot> {
  return { counts, findingsKept, progress, ...(history && { history }), ...(shards && { shards }) };
}

async function newestSnapshot(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<Snapshot> {
  const last = await lastSnapshot(migration, app);
  const now = app.ledger.now();
  const isFresh = last.progress.ranges.total > RANGES_AN_ANSWER && Math.abs(now - Date.parse(last.at)) < FRESH_MS;
  if (isFinal(migration) || isFresh) return last;
  const held = await rowsHeld(migration, app);
  if (held === undefined) return last;
  const shards = sumShards(
    migration,
    last.shards ?? {},
    held.filter(({ phase }) => phase === migration.phase),
  );
  return {
    ...last,
    ...workDone(migration, sumHeld(migration, held), last, now),
    ...(shards === undefined ? {} : { shards }),
  };
}

/** The range rows as the plan means them; undefined while one cannot be read. */
async function rowsHeld(migration: MigrationRow, { ledger }: Pick<App, 'ledger'>): Promise<RangeRow[] | undefined> {
  const look = async (maxAgeMs: number) => {
    const seen = await ledger.seenRanges.list(migration.id, { maxAgeMs }).catch(undefinedIfUnreadable);
    return seen && rowsOfPlan(migration, seen.rows);
  };
  const held = await look(ROWS_FRESH_MS);
  // What the plan knows and was not there may have begun since: a phase, or all of it again.
  return held?.some(({ broken }) => broken === true) === true ? await look(-1) : held;
}

/**
 * The tally's last sum, or an empty one before the first. Of a migration that has ended there was one: where it is lost or
 * cannot be read, the range rows are added up again, and what only the tally knew is told as unknown.
 */
export async function lastSnapshot(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<Snapshot> {
  const kept = await app.ledger.snapshots.get(migration.id);
  if (kept !== undefined) return kept;
  const empty = firstSnapshot(migration);
  if (!isFinal(migration)) return empty;
  const { counts, findingsKept, ranges, share, lastHeartbeat } = sumRanges(
    migration,
    await app.ledger.ranges.list(migration.id),
  );
  const { planned, active, done, failed, cancelled } = ranges;
  const well = migration.state === 'completed' || migration.state === 'completedWithDifferences';
  return {
    ...empty,
    lastHeartbeat,
    counts,
    findingsKept,
    progress: {
      ...empty.progress,
      percent: percentOf(share, well),
      ranges: { total: planned + active + done + failed + cancelled, done, active, failed },
    },
    warnings: [
      "The tally's last sum is lost or cannot be read: its numbers were added up again, without its warnings.",
    ],
  };
}
