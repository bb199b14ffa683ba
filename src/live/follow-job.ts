import { see } from '../migration/course';
import type { MigrationRow } from '../migration/rows';
import { StoppedError } from '../migration/stop';
import { PagePlace } from '../range/page-place';
import type { JobHold } from '../range/range-job';
import { TemporaryNames } from '../transfer/by-commands';
import { Governor } from '../transfer/governor';

/** What the work on one database needs of whoever follows. */
export interface Holder {
  readonly generation: number;
  /** Whether keys may be written: nobody else has taken the following over. */
  mayWork(): boolean;
  trouble(text: string | null): void;
  doubtClocks(ms: number): void;
  beginTemporaryKeys(): Promise<void>;
}

/** The rates of a migration are for its walks: what changes on the source must be kept up with. */
const NO_LIMITS = { keysPerSecond: 0, bytesPerSecond: 0, maxSourceLatencyMs: 0 };

/** The hold on one database of a source that is followed, by the process that its names come from. */
export class FollowJob implements JobHold {
  readonly governor = new Governor(NO_LIMITS, this);
  readonly isSlow = false;
  readonly mayHaveWritten = true;
  readonly place = new PagePlace();
  readonly temporaryNames: TemporaryNames;
  readonly row: JobHold['row'];
  readonly migration: MigrationRow;

  /**
   * @param runId the server process that must answer
   * @param builders generations of followers that may have left temporary keys
   */
  constructor(
    migration: MigrationRow,
    database: number,
    runId: string,
    builders: readonly number[],
    private readonly holder: Holder,
  ) {
    // What the tally has not seen yet is the source all the same.
    this.migration = { ...migration, walkedRunId: runId, course: see(migration.course, 'source', { runId }) };
    this.row = { database, index: 0, bits: 0 };
    this.temporaryNames = new TemporaryNames(
      { migration: migration.id, range: `live-${String(database).padStart(5, '0')}`, generation: holder.generation },
      builders,
      Date.now,
      migration.plan.target.abilities.ownKeys,
    );
  }

  check(): void {
    if (!this.holder.mayWork()) throw new StoppedError('lost');
  }

  /** It has no deadline. */
  async beyondDeadline<T>(_ms: number, work: () => Promise<T>): Promise<T> {
    return await work();
  }

  trouble(text: string | null): void {
    this.holder.trouble(text);
  }

  doubtClocks(ms: number): void {
    this.holder.doubtClocks(ms);
  }

  beginTemporaryKeys(): Promise<void> {
    return this.holder.beginTemporaryKeys();
  }
}
