/** Lets so many starts through at once, and spreads many over time: a burst, then one a second. */
export class StartLimit {
  private running = 0;
  private tokens: number;
  private filledAt: number;

  /** @param now the clock, ms */
  constructor(
    private readonly atOnce: number,
    private readonly burst: number,
    private readonly now: () => number = Date.now,
  ) {
    this.tokens = burst;
    this.filledAt = now();
  }

  /** Runs the work. @throws TooManyStartsError without having begun it */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const now = this.now();
    this.tokens = Math.min(this.burst, this.tokens + Math.max(0, now - this.filledAt) / 1_000);
    this.filledAt = now;
    if (this.running >= this.atOnce || this.tokens < 1) throw new TooManyStartsError();
    this.tokens--;
    this.running++;
    try {
      return await work();
    } finally {
      this.running--;
    }
  }
}

/** Each start asks two servers and walks storage; this instance has enough of them for the moment. */
export class TooManyStartsError extends Error {
  constructor() {
    super('Too many migrations are being started at the moment; try again in a few seconds.');
    this.name = 'TooManyStartsError';
  }
}
