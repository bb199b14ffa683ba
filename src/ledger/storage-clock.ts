import { wallClock } from '../basics/wall-clock';

/** The Date header of HTTP tells whole seconds. */
const SECOND_MS = 1_000;

/**
 * The time by the clock of the storage account, as its answers tell it: the one clock that all instances share. Between answers this
 * process's monotonic clock goes on, so that whatever is done to the clock of this machine does not show.
 */
export class StorageClock {
  /** Between which values its time lies beyond the monotonic one, ms. Before the first answer this machine's clock is all there is. */
  private bounds: readonly [number, number] | undefined;

  /** Ms since 1970, to about a second. */
  now(): number {
    if (this.bounds === undefined) return wallClock();
    return performance.now() + (this.bounds[0] + this.bounds[1]) / 2;
  }

  /**
   * Takes in what an answer tells.
   * @param date its Date header
   * @param asked when it was asked for, by the monotonic clock
   */
  hear(date: string | undefined, asked: number): void {
    const told = Date.parse(date ?? '');
    if (Number.isNaN(told)) return;
    const [low, high] = [told - performance.now(), told + SECOND_MS - asked];
    const [lowest, highest] = this.bounds ?? [low, high];
    const both = [Math.max(low, lowest), Math.min(high, highest)] as const;
    // Where both cannot be, its clock was set, or one of them is not exact.
    this.bounds = both[0] <= both[1] ? both : [low, high];
  }
}
