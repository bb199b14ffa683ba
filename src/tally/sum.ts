import type { MigrationRow, RangeRow, RangeState } from '../migration/rows';
import { rowsOfPlan, walkedDatabases } from '../migration/rows-of-plan';
import { accountedKeys, addCounts, noCounts, type Counts } from '../migration/counts';

/** What the range rows say together. */
export interface Sum {
  /** Of the current phase, and those of earlier ones that are not done as they should be. */
  readonly ranges: Readonly<Record<RangeState, number>>;
  /** Over the copy ranges, with what the ranges of later phases found. */
  readonly counts: Counts;
  /** Different keys that the latest walk over the source brought. */
  readonly walked: number;
  /** The share of the current phase's keyspace that is done, 0 to 1, weighted by the keys of databases. */
  readonly share: number;
  /** The latest heartbeat, ISO 8601; null before the first. */
  readonly lastHeartbeat: string | null;
  /** What holds ranges up, each text once. */
  readonly troubles: readonly string[];
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
  const walkedIn = { copy: 0, extra: 0, look: 0 };
  let done = 0;
  let all = 0;
  let lastHeartbeat: string | null = null;
  let cause: string | null = null;
  const troubles = new Set<string>();
  for (const row of held) {
    walkedIn[row.phase] += accountedKeys(row.counts);
    if (row.phase !== 'copy') {
      const { missing, different, extra, deleted, findings } = row.counts;
      counts = addCounts(counts, { missing, different, extra, deleted, findings });
    } else counts = addCounts(counts, row.counts);
    if (row.phase === migration.phase) {
      const weight = weights.get(row.database) ?? 1;
      all += weight;
      done += weight * row.share;
    } else if (row.state === 'done') continue;
    ranges[row.state]++;
    if (row.heartbeat !== null && (lastHeartbeat === null || row.heartbeat > lastHeartbeat))
      lastHeartbeat = row.heartbeat;
    if (row.trouble !== null && row.state === 'active') troubles.add(row.trouble);
    if (row.state === 'failed') cause ??= row.cause;
  }
  const walked = walkedIn[migration.phase === 'look' ? 'look' : 'copy'];
  return { ranges, counts, walked, share: all === 0 ? 1 : done / all, lastHeartbeat, troubles: [...troubles], cause };
}
