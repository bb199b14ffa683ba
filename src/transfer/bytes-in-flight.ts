import { orStopped, type StopSignal } from '../migration/stop';
import type { ChunkBudget } from './by-commands';

interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

/** The budget as one piece of work uses it. */
export interface Budget extends ChunkBudget {
  readonly chunks: ChunkBudget;
}

/** What is held over many pages. Nobody waits for it: who holds it needs shares for pages to come to its end. */
export interface HeldBudget {
  /** So much of what is wanted, and no more, that others may have some too; a little in any case. */
  take(wanted: number): number;
  give(bytes: number): void;
}

/** Of the whole, what is held over many pages, and what each who asks gets of what is left of that; and what it gets at least, bytes. */
const TO_BE_HELD = 1 / 2;
const FOR_ONE = 1 / 2;
const LEAST_HELD = 1_048_576;

/** Of the whole, what chunks may take whatever pages hold: the work on a page may have to wait for them. */
const FOR_CHUNKS = 1 / 4;

/**
 * Bounds the bytes that are read and not yet written, in one process. Whoever reads takes a share first and gives it back
 * when the write is done. A share larger than the whole is let through alone.
 *
 * What is waited for while something else is held is asked for in this order, so that nobody waits in a circle: a page's share; a turn on
 * connections of its own, where the call asks for memory meanwhile (OwnWay, `asked`), of the source before one of the target; a chunk's
 * share; a turn where it does not (`held`). Calls on connections that are shared end without waiting for any of these.
 */
export class BytesInFlight {
  private used = 0;
  private readonly waiting: Waiting[] = [];
  private usedByChunks = 0;
  private held = 0;
  private readonly waitingForChunks: Waiting[] = [];

  constructor(private readonly limit: number) {}

  /** For chunks of keys. Whoever holds one gives it back without waiting for another. */
  readonly chunks: ChunkBudget = this.chunksUntil(undefined);

  /** For names that are read over many pages. */
  readonly names: HeldBudget = {
    take: (wanted) => {
      const fair = Math.floor((this.limit * TO_BE_HELD - this.held) * FOR_ONE);
      const bytes = Math.min(wanted, Math.max(LEAST_HELD, fair));
      this.held += bytes;
      this.used += bytes;
      return bytes;
    },
    give: (bytes) => {
      this.held -= bytes;
      this.give(bytes);
    },
  };

  /** The same for work that may have to end: who waits throws StoppedError then. */
  until(stop: StopSignal): Budget {
    return {
      take: (bytes) => this.take(bytes, stop),
      correct: (taken, actual) => {
        this.correct(taken, actual);
      },
      give: (bytes) => {
        this.give(bytes);
      },
      chunks: this.chunksUntil(stop),
    };
  }

  /** Waits until `bytes` fit; first come, first served. */
  async take(bytes: number, stop?: StopSignal): Promise<void> {
    if (this.waiting.length === 0 && this.fits(bytes)) this.used += bytes;
    else
      await this.wait(this.waiting, bytes, stop, () => {
        this.give(bytes);
      });
  }

  private chunksUntil(stop: StopSignal | undefined): ChunkBudget {
    const give = (bytes: number) => {
      this.usedByChunks -= bytes;
      this.give(bytes);
    };
    return {
      take: async (bytes) => {
        if (this.waitingForChunks.length > 0 || !this.chunkFits(bytes)) {
          await this.wait(this.waitingForChunks, bytes, stop, () => {
            give(bytes);
          });
          return;
        }
        this.usedByChunks += bytes;
        this.used += bytes;
      },
      correct: (taken, actual) => {
        this.usedByChunks += actual - taken;
        this.correct(taken, actual);
      },
      give,
    };
  }

  /** @param giveBack what was given when nobody waited for it any more */
  private async wait(
    queue: Waiting[],
    bytes: number,
    stop: StopSignal | undefined,
    giveBack: () => void,
  ): Promise<void> {
    const mine: Waiting & { isGiven: boolean; go: () => void } = { bytes, isGiven: false, go: () => undefined };
    const given = new Promise<void>((resolve) => {
      mine.go = () => {
        mine.isGiven = true;
        resolve();
      };
    });
    queue.push(mine);
    if (stop === undefined) {
      await given;
      return;
    }
    try {
      await orStopped(given, stop);
    } catch (error) {
      if (mine.isGiven) giveBack();
      else {
        queue.splice(queue.indexOf(mine), 1);
        // Those behind it may have waited for it alone.
        this.wake();
      }
      throw error;
    }
  }

  /** Sets what was taken right, once the true size is known: never waits, may go above the limit. */
  correct(taken: number, actual: number): void {
    this.used += actual - taken;
    if (actual < taken) this.wake();
  }

  give(bytes: number): void {
    this.used -= bytes;
    this.wake();
  }

  private fits(bytes: number): boolean {
    return this.used === this.held || this.used + bytes <= this.limit;
  }

  private chunkFits(bytes: number): boolean {
    if (this.usedByChunks === 0 || this.used + bytes <= this.limit) return true;
    return this.usedByChunks + bytes <= this.limit * FOR_CHUNKS;
  }

  private wake(): void {
    this.wakePages();
    const waiting = this.waitingForChunks;
    for (let next = waiting[0]; next !== undefined && this.chunkFits(next.bytes); next = waiting[0]) {
      waiting.shift();
      this.usedByChunks += next.bytes;
      this.used += next.bytes;
      next.go();
    }
  }

  private wakePages(): void {
    for (let next = this.waiting[0]; next !== undefined && this.fits(next.bytes); next = this.waiting[0]) {
      this.waiting.shift();
      this.used += next.bytes;
      next.go();
    }
  }
}
