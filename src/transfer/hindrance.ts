import { pause, type StopSignal } from '../migration/stop';
import type { RedisError } from '../redis/errors';

const DELAY_MS = 2_000;

/** Waits, and says why, while a server takes no writes for a reason that can end: no room, a failover. */
export class Hindrance {
  private told = false;

  /** @param onTrouble told what holds the work up, and null when it goes on */
  constructor(
    private readonly stop: StopSignal,
    private readonly onTrouble: (trouble: string | null) => void,
  ) {}

  /** Waits for the next try. Throws StoppedError. */
  async wait(error: RedisError): Promise<void> {
    this.told = true;
    this.onTrouble(error.message);
    await pause(DELAY_MS, this.stop);
  }

  /** Something was written: what was told is over. */
  over(): void {
    if (this.told) this.onTrouble(null);
    this.told = false;
  }
}
