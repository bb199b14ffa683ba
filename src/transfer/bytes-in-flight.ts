/**
 * Bounds the bytes that are read and not yet written, in one process. Whoever reads takes a share first and gives it back
 * when the write is done. A share larger than the whole is let through alone.
 */
export class BytesInFlight {
  private used = 0;
  private readonly waiting: { readonly bytes: number; readonly go: () => void }[] = [];

  constructor(private readonly limit: number) {}

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

  private wake(): void {
    for (let next = this.waiting[0]; next !== undefined && this.fits(next.bytes); next = this.waiting[0]) {
      this.waiting.shift();
      this.used += next.bytes;
      next.go();
    }
  }
}
