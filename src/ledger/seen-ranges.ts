import type { RangeRow } from '../migration/rows';
import type { RangeRows } from './range-rows';

/** The storage's times of writing may run this much behind each other, ms: a partition is written by one server, seldom by its successor. */
const OVERLAP_MS = 5_000;
/** Read whole again so often, ms: what was deleted shows only then. */
const WHOLE_MS = 60_000;
/** Migrations that nobody asked for for so long are forgotten, ms. */
const FORGET_MS = 120_000;

interface Seen {
  readonly rows: Map<string, SeenRow>;
  /** When the latest of them was written, by the storage, ms since 1970. */
  newest: number;
  readonly wholeAt: number;
  /** When they were last read. */
  readAt: number;
  askedAt: number;
}

interface SeenRow {
  readonly row: RangeRow;
  readonly etag: string;
  readonly writtenAt: number;
}

interface Look {
  /** Read all of them, as they are now. */
  readonly whole?: boolean;
  /** What was read so long ago at most is good enough, ms. */
  readonly maxAgeMs?: number;
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

  /** All range rows of a migration. */
  async list(
    migration: string,
    { whole = false, maxAgeMs = -1 }: Look = {},
  ): Promise<{ readonly rows: RangeRow[]; readonly isWhole: boolean }> {
    const now = performance.now();
    for (const [id, { askedAt }] of this.seen) if (now - askedAt > FORGET_MS) this.seen.delete(id);
    const known = this.seen.get(migration);
    const isWhole = whole || known === undefined || now - known.wholeAt > WHOLE_MS || this.isSetBack(known);
    if (!isWhole && now - known.readAt <= maxAgeMs) {
      known.askedAt = now;
      return { rows: rowsOf(known.rows), isWhole };
    }
    const began = this.clock();
    const before = known?.rows ?? new Map<string, SeenRow>();
    const rows = isWhole ? new Map<string, SeenRow>() : before;
    let newest = isWhole ? 0 : known.newest;
    const since = isWhole ? undefined : newest - OVERLAP_MS;
    for await (const { name, etag, writtenAt, row } of this.ranges.changedSince(migration, since)) {
      newest = Math.max(newest, writtenAt);
      const seen = before.get(name);
      if (seen !== undefined && etag !== '' && seen.etag === etag) rows.set(name, seen);
      // Another look may have come back before this one.
      else if (writtenAt >= (rows.get(name)?.writtenAt ?? 0)) rows.set(name, { row: row(), etag, writtenAt });
    }
    // What was written while a long look went on may lie in front of what it read last.
    newest = Math.min(newest, began);
    if (isWhole) {
      // Shorter looks may have come back meanwhile.
      for (const [name, seen] of this.seen.get(migration)?.rows ?? []) {
        if (seen.writtenAt > (rows.get(name)?.writtenAt ?? began)) rows.set(name, seen);
      }
      this.seen.set(migration, { rows, newest, wholeAt: now, readAt: now, askedAt: now });
    } else Object.assign(known, { newest, readAt: now, askedAt: now });
    return { rows: rowsOf(rows), isWhole };
  }

  /** By a clock that was set back, what is written now seems older than what was seen. */
  private isSetBack({ newest }: Seen): boolean {
    return this.clock() < newest - OVERLAP_MS / 2;
  }
}

function rowsOf(rows: ReadonlyMap<string, SeenRow>): RangeRow[] {
  return Array.from(rows.values(), ({ row }) => row);
}
