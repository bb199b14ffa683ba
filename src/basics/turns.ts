import { waitedFor } from './waited-for';

/** Lets so many pieces of work be done at a time; others wait for their turn, first come, first served. */
export class Turns {
  private free: number;
  private waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.free = atOnce;
  }

  /**
   * @param check called while a turn is waited for; what it throws ends that
   * @throws what the work throws
   */
  async take<T>(work: () => Promise<T>, check: () => void = () => undefined): Promise<T> {
    if (this.free === 0) await this.waitForTurn(check);
    else this.free--;
    try {
      return await work();
    } finally {
      this.pass();
    }
  }

  private async waitForTurn(check: () => void): Promise<void> {
    const mine: { isGiven: boolean; go: () => void } = { isGiven: false, go: () => undefined };
    const turn = new Promise<void>((resolve) => {
      mine.go = () => {
        mine.isGiven = true;
        resolve();
      };
    });
    this.waiting.push(mine.go);
    try {
      await waitedFor(turn, check);
    } catch (error) {
      if (mine.isGiven) this.pass();
      else this.waiting = this.waiting.filter((go) => go !== mine.go);
      throw error;
    }
  }

  private pass(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free++;
    else next();
  }
}
