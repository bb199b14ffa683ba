import { pause, type StopSignal } from './stop';

/** Spreads keys over time. What was not used is not saved up for more than a moment. */
export class RateLimit {
  private freeAt = Date.now();

  /** @param keysPerSecond 0: no limit */
  constructor(private readonly keysPerSecond: number) {}

  /** Waits until the keys just handled fit the rate. Throws StoppedError when the work must end. */
  async spend(keys: number, stop: StopSignal): Promise<void> {
    if (this.keysPerSecond <= 0) return;
    const now = Date.now();
    this.freeAt = Math.max(this.freeAt, now) + (keys / this.keysPerSecond) * 1_000;
    if (this.freeAt > now) await pause(this.freeAt - now, stop);
  }
}
