import type { Copied } from './command-copier';
import type { Part } from './range-pages';

/** What became of a part. */
export type SinkOutcome = Pick<Copied, 'counts' | 'findings' | 'stopped'> &
  Partial<Pick<Copied, 'presumed'>> & { readonly moved?: () => void };

/** Where parts of a range go. */
export interface Sink {
  /** Whether it takes values as they were read; otherwise keys are to be named only, and it copies each by itself. */
  wantsValues(): boolean;
  /**
   * Writes a part, or as much of it as there is time for. Throws what ends the range. May be called again with a part that was
   * written before, and does no harm then. `moved` is to be called when the cursor moves behind the part.
   */
  write(part: Part): Promise<SinkOutcome>;
}
