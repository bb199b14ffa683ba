/** What was not asked for for so long is forgotten, ms. */
const FORGET_MS = 600_000;

/**
 * For how long things have stood as they are, as far as this process has watched: by its own clock, which nobody sets, and which
 * is compared with no other one.
 */
export class Stillness {
  private readonly seen = new Map<string, { readonly mark: string; readonly since: number; askedAt: number }>();

  /** Whether a thing was seen here before. */
  knows(name: string): boolean {
    return this.seen.has(name);
  }

  /**
   * For how long a thing has looked like this, ms.
   * @param mark what it looks like at the moment; it has moved when that is another one
   */
  stillFor(name: string, mark: string, now = performance.now()): number {
    const known = this.seen.get(name);
    if (known?.mark === mark) {
      known.askedAt = now;
      return now - known.since;
    }
    this.seen.set(name, { mark, since: now, askedAt: now });
    return 0;
  }

  /** Begins anew with all: for a while nobody watched, or nothing could move. */
  restart(): void {
    this.seen.clear();
  }

  /** Forgets what nobody asks for any more. */
  tidy(now = performance.now()): void {
    for (const [name, { askedAt }] of this.seen) if (now - askedAt > FORGET_MS) this.seen.delete(name);
  }
}
