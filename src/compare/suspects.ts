import { pause, type StopSignal } from '../migration/stop';

/** Differences are looked at so often in all, so far apart, before they count: keys in flight settle meanwhile. */
const ROUNDS = 3;
const ROUND_MS = 2_000;
/** The walk goes on while so many suspects, or for so long, wait to be looked at again: many wait as long as one. */
const MOST_SUSPECTS = 20_000;
const SUSPECTS_MS = 5_000;

/** Collects what may be different while a range is walked, and settles it in a few rounds. */
export class Suspects<Key, Found> {
  private waiting: Key[] = [];
  private since = 0;

  /** @param look what is found of keys that are still different; the others are no suspects any more, and counted by `look` itself */
  constructor(
    private readonly look: (keys: readonly Key[]) => Promise<readonly { readonly key: Key; readonly found: Found }[]>,
    private readonly stop: StopSignal,
    private readonly roundMs = ROUND_MS,
  ) {}

  add(keys: readonly Key[]): void {
    if (this.waiting.length === 0) this.since = Date.now();
    this.waiting.push(...keys);
  }

  /** Whether it is time to settle: nothing waits, or enough, or for long enough. */
  get due(): boolean {
    const { length } = this.waiting;
    return length === 0 || length >= MOST_SUSPECTS || Date.now() - this.since >= SUSPECTS_MS;
  }

  /** Looks again, round after round, and gives what is still different in the end. */
  async settle(): Promise<readonly { readonly key: Key; readonly found: Found }[]> {
    let open = this.waiting;
    let found: readonly { readonly key: Key; readonly found: Found }[] = [];
    this.waiting = [];
    for (let round = 2; round <= ROUNDS && open.length > 0; round++) {
      await pause(this.roundMs, this.stop);
      found = await this.look(open);
      open = found.map(({ key }) => key);
    }
    return found;
  }
}
