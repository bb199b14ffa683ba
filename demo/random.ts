/** Repeatable pseudo-random numbers: the same seed gives the same sequence (mulberry32). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** Starts the sequence that belongs to one key of a data set. */
  restart(seed: number, index: number): void {
    this.state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  }

  /** A whole number of 32 bits, 0 or more. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number, `from` ≤ number ≤ `to`. */
  between(from: number, to: number): number {
    return from + (this.next() % (to - from + 1));
  }

  /** True once in `times`, on average. */
  oneIn(times: number): boolean {
    return this.next() % times === 0;
  }
}
