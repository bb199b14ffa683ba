import type { MigrationRows } from '../ledger/migration-rows';
import { undefinedIfUnreadable } from '../ledger/row-schemas';
import type { MigrationRow } from '../migration/rows';

/** How old an answer may be, ms. Cancelling takes effect within this time and one page. */
const FRESH_MS = 1_000;

/** Migration rows for the many workers of one process, read once for all of them and again after a second. */
export class MigrationWatch {
  private readonly entries = new Map<
    string,
    { readonly at: number; readonly row: Promise<MigrationRow | undefined> }
  >();

  constructor(private readonly migrations: Pick<MigrationRows, 'get'>) {}

  /** The row, at most a second old; undefined where there is none that can be read. */
  get(id: string): Promise<MigrationRow | undefined> {
    const now = performance.now();
    const known = this.entries.get(id);
    if (known !== undefined && now - known.at < FRESH_MS) return known.row;
    for (const [other, entry] of this.entries) if (now - entry.at > 60_000) this.entries.delete(other);
    const row = this.migrations.get(id).catch(undefinedIfUnreadable);
    this.entries.set(id, { at: now, row });
    row.catch(() => this.entries.delete(id));
    return row;
  }

  /** Forgets what is known, after a change made here. */
  forget(id: string): void {
    this.entries.delete(id);
  }
}
