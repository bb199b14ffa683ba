import { FINDINGS_PER_RANGE, isSettled, type MigrationRow, type RangeRow, type RangeState } from '../migration/rows';
import { rowsOfPlan, walkedDatabases } from '../migration/rows-of-plan';
import { accountedKeys, addCounts, noCounts, type Counts } from '../migration/counts';
import { movedBy, type LiveRow } from '../migration/live';
import { phaseOf, walksOf, walksSource, type Phase } from '../migration/phases';

/** What the range rows say together. */
export interface Sum {
  /** Of the current phase, and those of earlier ones that are not done as they should be. */
  readonly ranges: Readonly<Record<RangeState, number>>;
  /** Over all rows, as far as their phases say that they count. */
  readonly counts: Counts;
  /** How many of the findings in the counts are kept in full. */
  readonly findingsKept: number;
  /** Different keys that the latest walk over the source brought. */
  readonly walked: number;
  /** The share of the current phase's keyspace that is done, 0 to 1, weighted by the keys of databases. */
  readonly share: number;
  /** The latest heartbeat, ISO 8601; null before the first. */
  readonly lastHeartbeat: string | null;
  /** How far the work is: another text says that something was done, by whomever. */
  readonly moved: string;
  /** By how much expiries may be wrong at most, ms. */
  readonly clockDoubtMs: number;
  /** Keys that the target had and that are counted as the migration's own, which they may not be. */
  readonly presumedOwn: number;
  /** How often ranges began at their starts again. */
  readonly begunAnew: number;
  /** What holds ranges up, each text once. */
  readonly troubles: readonly string[];
  /** What holds an open range up, or did when its last worker handed it on. */
  readonly trouble: string | null;
  readonly cause: string | null;
}

/** Adds up the rows of a migration, held against its plan, each as it counts in the current epoch. */
export function sumRanges(migration: MigrationRow, rows: readonly RangeRow[]): Sum {
  return sumHeld(migration, rowsOfPlan(migration, rows));
}

/** The same for rows that were held against the plan already. */
export function sumHeld(migration: MigrationRow, held: readonly RangeRow[]): Sum {
  const ranges: Record<RangeState, number> = { planned: 0, active: 0, done: 0, failed: 0, cancelled: 0 };
  const weights = new Map(
    walkedDatabases(migration.plan, migration.phase).map((d) => [d.database, Math.max(1, d.keys ?? 1) / 2 ** d.bits]),
  );
  let counts = noCounts;
  let findingsKept = 0;
  const walkedIn = new Map<string, number>();
  let done = 0;
  let all = 0;
  let lastHeartbeat: string | null = null;
  let cause: string | null = null;
  let trouble: string | null = null;
  let progress = 0;
  let clockDoubtMs = 0;
  let begunAnew = 0;
  let presumedOwn = 0;
  const troubles = new Set<string>();
  for (const row of held) {
    walkedIn.set(row.phase, (walkedIn.get(row.phase) ?? 0) + accountedKeys(row.counts));
    clockDoubtMs = Math.max(clockDoubtMs, row.clockDoubtMs);
    begunAnew += row.begunAnew;
    presumedOwn += row.presumedOwn;
    const counting = countingOf(phaseOf(migration.plan, { phase: row.phase }), row.counts);
    counts = addCounts(counts, counting);
    findingsKept += Math.min(FINDINGS_PER_RANGE, counting.findings ?? 0);
    if (row.phase === migration.phase) {
      const weight = weights.get(row.database) ?? 1;
      all += weight;
      done += weight * row.share;
    } else if (row.state === 'done') continue;
    ranges[row.state]++;
    progress += row.progress;
    if (row.heartbeat !== null && (lastHeartbeat === null || row.heartbeat > lastHeartbeat))
      lastHeartbeat = row.heartbeat;
    if (row.trouble !== null && row.state === 'active') troubles.add(row.trouble);
    if (!isSettled(row)) trouble ??= row.trouble;
    if (row.state === 'failed') cause ??= row.cause;
  }
  const walked = walkedIn.get(latestOverSource(migration)) ?? 0;
  const { phase, pass, epoch } = migration;
  const moved = [phase, pass, epoch, ranges.done + ranges.failed + ranges.cancelled, progress].join(' ');
  const share = all === 0 ? 1 : done / all;
  const sums = { ranges, counts, findingsKept, walked, share, lastHeartbeat, moved };
  const doubts = { clockDoubtMs, presumedOwn, begunAnew };
  return { ...sums, ...doubts, troubles: [...troubles], trouble, cause };
}

/** The same with what whoever follows the source says of itself. */
export function withFollower(sum: Sum, row: LiveRow | undefined): Sum {
  if (row === undefined) return sum;
  const { lastHeartbeat } = sum;
  return {
    ...sum,
    lastHeartbeat: lastHeartbeat === null || row.heartbeat > lastHeartbeat ? row.heartbeat : lastHeartbeat,
    moved: `${sum.moved} ${movedBy(row)}`,
    clockDoubtMs: Math.max(sum.clockDoubtMs, row.clockDoubtMs),
    troubles: row.trouble === null ? sum.troubles : [...sum.troubles, row.trouble],
    trouble: sum.trouble ?? row.trouble,
  };
}

/** The numbers of a row that count for its migration. What differs or may differ counts alike: plans have one name for both. */
function countingOf({ counts }: Phase, ofRow: Counts): Partial<Counts> {
  if (counts === 'all') return ofRow;
  const { uncompared } = ofRow;
  const named = Object.fromEntries(counts.map((name) => [name, ofRow[name]]));
  return counts.includes('different') ? { ...named, uncompared } : named;
}

/** The name of the phase that walked the source last. */
function latestOverSource(migration: MigrationRow): string {
  const { phases } = migration.plan;
  const walked = walksOf(migration).flatMap(({ place }) => phases[place] ?? []);
  return walked.findLast(walksSource)?.name ?? '';
}
