import type { Snapshot } from '../migration/report';
import type { MigrationRow } from '../migration/rows';
import { Stillness } from './stillness';

/** A visit that has given no sign for so long does not end any more, ms. It gives one every few seconds, however long it takes. */
const LONGEST_MS = 10_000;

/** Another visit began before this one had ended, or the migration has changed under it: what it found counts no more. */
export class OvertakenError extends Error {}

/** Which visits of tallies are under way, here and elsewhere: two at the same time do no harm, and no good either. */
export class Visits {
  private readonly stillness = new Stillness();
  /** The visit of each migration that ended here last, however it did. */
  private readonly ended = new Map<string, string>();

  /** @param sum the one that was written last */
  isUnderWay({ id, visit, etag }: Pick<MigrationRow, 'id' | 'visit' | 'etag'>, sum: Pick<Snapshot, 'visit'>): boolean {
    if (visit === sum.visit || visit === this.ended.get(id)) return false;
    return this.stillness.stillFor(id, etag) < LONGEST_MS;
  }

  end({ id, visit }: Pick<MigrationRow, 'id' | 'visit'>): void {
    this.ended.set(id, visit);
  }
}
