import type { Counts } from '../migration/counts';
import type { KeyFinding } from '../migration/rows';
import type { Part } from './range-pages';

/** Where parts of a range go. */
export interface Sink {
  /** Whether it takes values as they were read; otherwise keys are to be named only, and it copies each by itself. */
  wantsValues(): boolean;
  /** Writes a part. Throws what ends the range. May be called again with a part that was written before, and does no harm then. */
  write(part: Part): Promise<{ readonly counts: Partial<Counts>; readonly findings: readonly KeyFinding[] }>;
}
