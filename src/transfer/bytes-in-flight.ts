import type { ChunkBudget } from './by-commands';

interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

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
  private readonly waitingForChunks: Waiting[] = [];

  constructor(private readonly limit: number) {}

  /** For chunks of keys. Whoever holds one gives it back without waiting for another. */
  readonly chunks: ChunkBudget = {
    take: async (bytes) => {
      if (this.waitingForChunks.length > 0 || !this.chunkFits(bytes)) {
        await new Promise<void>((go) => this.waitingForChunks.push({ bytes, go }));
        return;
      }
      this.usedByChunks += bytes;
      this.used += bytes;
    },
    correct: (taken, actual) => {
      this.usedByChunks += actual - taken;
      this.correct(taken, actual);
    },
    give: (bytes) => {
      this.usedByChunks -= bytes;
      this.give(bytes);
    },
  };

  /** Waits until `bytes` fit; first come, first served. */
  async take(bytes: number): Promise<void> {
    if (this.waiting.length === 0 && this.fits(bytes)) {
      this.used += bytes;
      return;
    }
    await new Promise<void>((go) => this.waiting.push({ bytes, go }));
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
    return this.used === 0 || this.used + bytes <= this.limit;
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
