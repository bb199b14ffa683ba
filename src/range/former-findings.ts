import { createHash } from 'node:crypto';
import type { Ledger } from '../ledger/ledger';
import { MARK_BYTES } from '../ledger/finding-batches';
import { phaseAt, phaseOf, walksOf, type Walk } from '../migration/phases';
import { isCurrent } from '../migration/course';
import {
  rangeName,
  resetIfOlder,
  type Finding,
  type MigrationRow,
  type RangeRow,
  type StoredFinding,
} from '../migration/rows';

/** A key, as findings have it, by which another walk knows it again. */
export function markOf(key: Buffer): Buffer {
  return createHash('sha256').update(key).digest().subarray(0, MARK_BYTES);
}

/** Whether a later walk over the same side may find keys wrong that the current one has found. */
export function isWalkedAgain({ plan, ...place }: MigrationRow): boolean {
  const { phases } = plan;
  const now = phaseOf(plan, place);
  return phases.slice(phases.indexOf(now) + 1).some(({ side, until }) => side === now.side && until === undefined);
}

/** A finding, without its words. */
type Found = Omit<Finding, 'message'>;

/**
 * Whether a finding with a row of its own, as versions before and followers write them, is the same one: written by the same walk of a
 * version before, though it may be counted by no row yet.
 */
function isSame(row: StoredFinding, { phase, epoch, code }: Found): boolean {
  return row.phase === undefined ? row.code === code : row.phase === phase && row.epoch === epoch;
}

/** Which of findings, by their places, a version before has written in the same walk. */
export async function writtenBefore(
  findings: readonly Found[],
  ledger: Pick<Ledger, 'findings'>,
): Promise<ReadonlySet<number>> {
  const rows = await ledger.findings.withOwnRows(findings);
  return placesWhere(findings, (finding, i) => {
    const row = rows[i];
    return row !== undefined && isSame(row, finding);
  });
}

/** Which of findings, by their places, are of keys that have one by an earlier walk over the same side, or by a follower. */
export async function formerAmong(
  migration: MigrationRow,
  range: Pick<RangeRow, 'number' | 'database'>,
  findings: readonly Found[],
  ledger: Pick<Ledger, 'findings' | 'ranges'>,
): Promise<ReadonlySet<number>> {
  const former = new Set<number>();
  if (await ledger.findings.hasOwnRows(migration.id)) {
    const counts = isCurrent(migration);
    const rows = await ledger.findings.withOwnRows(findings);
    for (const i of placesWhere(findings, (finding, i) => {
      const row = rows[i];
      return row !== undefined && counts(row) && !isSame(row, finding);
    }))
      former.add(i);
  }
  const walks = formerWalksOf(migration);
  if (walks.length === 0) return former;
  const marks = new Map(findings.map(({ key }, i) => [markOf(key).toString('latin1'), i]));
  for (const walk of walks) {
    for (const row of await rowsToAsk(migration, walk, range, ledger)) {
      for await (const told of ledger.findings.batches.marksOf(row)) {
        for (let at = 0; at < told.length; at += MARK_BYTES) {
          const place = marks.get(told.toString('latin1', at, at + MARK_BYTES));
          if (place !== undefined) former.add(place);
        }
      }
    }
  }
  return former;
}

/** The walks over the same side before the current one, as far as they count. */
function formerWalksOf(migration: MigrationRow): readonly Walk[] {
  const { phases } = migration.plan;
  const { side } = phaseOf(migration.plan, migration);
  return walksOf(migration)
    .slice(0, -1)
    .filter(({ place }) => phases[place]?.side === side && phases[place].until === undefined);
}

/**
 * Beyond so many marks of an earlier walk only those of the same range are asked for: then keys that a server gives in
 * another range since it restarted may have two findings.
 */
const MOST_MARKS = 4_000_000;

/** The rows of an earlier walk that may tell of keys that the range has now. */
async function rowsToAsk(
  { id, plan, course, ...current }: MigrationRow,
  { place, epoch }: Walk,
  { number, database }: Pick<RangeRow, 'number' | 'database'>,
  ledger: Pick<Ledger, 'ranges'>,
): Promise<readonly RangeRow[]> {
  const { phase, pass } = phaseAt(plan, place);
  const { side } = phaseOf(plan, current);
  const asOf = (row: RangeRow) => resetIfOlder(row, { epoch, pass });
  // A server that was the same all the time gives each key in the same range.
  if (course.restarts[side] > 0 || course.exchanges > 0) {
    const rows = (await ledger.ranges.list(id, phase)).map(asOf).filter((row) => row.database === database);
    if (rows.reduce((sum, row) => sum + marksIn(row), 0) <= MOST_MARKS) return rows;
  }
  const own = await ledger.ranges.get(id, rangeName(phase, number));
  return own?.database === database ? [asOf(own)] : [];
}

function marksIn({ findingRuns }: RangeRow): number {
  return findingRuns.reduce((sum, [, , marked]) => sum + marked, 0);
}

function placesWhere<T>(items: readonly T[], is: (item: T, place: number) => boolean): Set<number> {
  return new Set(items.flatMap((item, place) => (is(item, place) ? [place] : [])));
}
