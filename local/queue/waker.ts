/** A pause that can be cut short; a wake-up that comes while nobody waits is kept for the next wait. */
export class Waker {
  private due: number | undefined;
  private closed = false;
  private resolve: ((woken: boolean) => void) | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** Ends the present wait, or the next one, `delayMs` from now. */
  wake(delayMs = 0): void {
    const due = Date.now() + delayMs;
    this.due = this.due === undefined ? due : Math.min(this.due, due);
    if (this.resolve) this.arm(Infinity);
  }

  /** @returns true when woken, false when `ms` have passed */
  async wait(ms: number): Promise<boolean> {
    if (this.closed) return false;
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.arm(Date.now() + ms);
    });
  }

  /** Ends all waits, now and later. */
  close(): void {
    this.closed = true;
    this.end(false);
  }

  private limit = Infinity;

  private arm(limit: number): void {
    if (limit !== Infinity) this.limit = limit;
    clearTimeout(this.timer);
    const woken = this.due !== undefined && this.due <= this.limit;
    const at = woken ? (this.due ?? 0) : this.limit;
    this.timer = setTimeout(
      () => {
        if (woken) this.due = undefined;
        this.end(woken);
      },
      Math.max(at - Date.now(), 0),
    );
  }

  private end(woken: boolean): void {
    clearTimeout(this.timer);
    const { resolve } = this;
    this.resolve = undefined;
    this.limit = Infinity;
    resolve?.(woken);
  }
}
