import type { RangeRow } from '../migration/rows';
import type { RangeRows } from './range-rows';

/** A storage's times of writing may run this much behind each other, ms. */
const OVERLAP_MS = 30_000;
/** Read whole again so often, ms: what was deleted shows only then. */
const WHOLE_MS = 60_000;
/** Migrations that nobody asked for for so long are forgotten, ms. */
const FORGET_MS = 120_000;

interface Seen {
  readonly rows: Map<string, { readonly row: RangeRow; readonly writtenAt: number }>;
  /** When the latest of them was written, by the storage, ms since 1970. */
  newest: number;
  readonly wholeAt: number;
  askedAt: number;
}

/**
 * The range rows of migrations as a process has seen them: at each look only those are read that were written since. What such a look
 * says may be a little old, so that nothing is decided by it but to wait.
 */
export class SeenRanges {
  private readonly seen = new Map<string, Seen>();

  /** @param clock the storage's time, ms since 1970 */
  constructor(
    private readonly ranges: Pick<RangeRows, 'changedSince'>,
    private readonly clock: () => number,
  ) {}

  /**
   * All range rows of a migration.
   * @param whole read all of them, as they are now
   */
  async list(migration: string, whole = false): Promise<{ readonly rows: RangeRow[]; readonly isWhole: boolean }> {
    const now = performance.now();
    for (const [id, { askedAt }] of this.seen) if (now - askedAt > FORGET_MS) this.seen.delete(id);
    const known = this.seen.get(migration);
    const isWhole = whole || known === undefined || now - known.wholeAt > WHOLE_MS || this.isSetBack(known);
    const rows = isWhole ? new Map<string, { row: RangeRow; writtenAt: number }>() : known.rows;
    let newest = isWhole ? 0 : known.newest;
    const since = isWhole ? undefined : newest - OVERLAP_MS;
    for await (const one of this.ranges.changedSince(migration, since)) {
      // Another look may have come back before this one.
      if (one.writtenAt >= (rows.get(one.row.name)?.writtenAt ?? 0)) rows.set(one.row.name, one);
      newest = Math.max(newest, one.writtenAt);
    }
    if (isWhole) this.seen.set(migration, { rows, newest, wholeAt: now, askedAt: now });
    else Object.assign(known, { newest, askedAt: now });
    return { rows: [...rows.values()].map(({ row }) => row), isWhole };
  }

  /** By a clock that was set back, what is written now seems older than what was seen. */
  private isSetBack({ newest }: Seen): boolean {
    return this.clock() < newest - OVERLAP_MS / 2;
  }
}
