import { addCounts, noCounts, type Counts } from '../migration/counts';
import { pause, type StopSignal } from '../migration/stop';
import type { KeyFinding } from '../migration/rows';

/** How keys that seem wrong are looked at again before they count, so that keys in flight settle. */
export interface Rounds {
  /** Looks in all, with the first one that made a key a suspect. */
  readonly looks: number;
  /** Between two looks. */
  readonly everyMs: number;
  /** The walk goes on while fewer suspects than `most` wait, or for `holdMs`: many wait as long as one. */
  readonly most: number;
  readonly holdMs: number;
}

/** For what is seen by asking for names alone. */
export const roundsOfNames: Rounds = { looks: 3, everyMs: 300, most: 2_000, holdMs: 2_000 };
/** For values and their expiries, which applications write in several steps, and for what is to be deleted. */
export const roundsOfValues: Rounds = { looks: 3, everyMs: 2_000, most: 20_000, holdMs: 5_000 };

/** About so many wait in a process: each takes a kilobyte with its finding, and so does what is thrown away on the way. */
const MOST_IN_PROCESS = 40_000;

/** A suspect that is still wrong, and what is wrong with it. */
export interface Wrong<Suspect> {
  readonly suspect: Suspect;
  readonly finding: KeyFinding;
}

/** What is known of suspects once they were looked at. */
export interface Look<Suspect> {
  readonly wrong: readonly Wrong<Suspect>[];
  /** Of those that are right, or gone. */
  readonly counts: Partial<Counts>;
}

/** How often suspects were looked at; where one look takes longer than a message, the next message must know. */
export interface LooksMemory<Suspect> {
  /** Undefined for one that was looked at once. */
  get(suspect: Suspect): number | undefined;
  /** @param looks undefined when it is a suspect no more */
  set(suspect: Suspect, looks: number | undefined): void;
}

/** What becomes of suspects. */
export interface SecondLook<Suspect> {
  readonly rounds: Rounds;
  readonly memory?: LooksMemory<Suspect>;
  /** Between this look and the next, ms, where that is another time than in the rounds. */
  readonly everyMs?: (suspects: readonly Suspect[]) => number;
  /** Looks once more. Throws what ends the work. */
  look(suspects: readonly Suspect[]): Promise<Look<Suspect>>;
  /** What is counted, and told, of keys that are wrong after the last look. Throws what ends the work. */
  end(
    wrong: readonly KeyFinding[],
  ): Promise<Pick<Look<Suspect>, 'counts'> & { readonly findings: readonly KeyFinding[] }>;
}

/** Who works on the range. */
export interface Worker extends StopSignal {
  /** Told that something was done; `kept` is false where it would have to be done again by whoever takes the range next. */
  progressed(kept: boolean): void;
}

/** Collects what may be wrong while a range is walked, and settles it in a few rounds. */
export class Suspects<Suspect> {
  private waiting: Suspect[] = [];
  private since = 0;

  /** @param walks how many walks of the process have suspects */
  constructor(
    private readonly second: SecondLook<Suspect>,
    private readonly worker: Worker,
    private readonly walks: () => number,
  ) {}

  add(suspects: readonly Suspect[]): void {
    if (this.waiting.length === 0) this.since = performance.now();
    this.waiting.push(...suspects);
  }

  get none(): boolean {
    return this.waiting.length === 0;
  }

  /** Whether enough wait, or for long enough. */
  get due(): boolean {
    const { most, holdMs } = this.second.rounds;
    const share = Math.min(most, MOST_IN_PROCESS / this.walks());
    return this.waiting.length >= share || (!this.none && performance.now() - this.since >= holdMs);
  }

  /** Looks again, round after round, and tells what is to be said of all that waited. Throws what ends the work. */
  async settle(): Promise<{ readonly counts: Counts; readonly findings: readonly KeyFinding[] }> {
    const { memory } = this.second;
    const all = this.waiting;
    let open: readonly Suspect[] = all;
    let wrong: readonly Wrong<Suspect>[] = [];
    let counts = noCounts;
    this.waiting = [];
    const { looks, everyMs } = this.second.rounds;
    const first = all.reduce((least, suspect) => Math.min(least, memory?.get(suspect) ?? 1), looks);
    for (const suspect of all) if (memory?.get(suspect) === undefined) memory?.set(suspect, 1);
    for (let round = Math.min(looks, first + 1); round <= looks && open.length > 0; round++) {
      await pause(this.second.everyMs?.(open) ?? everyMs, this.worker);
      const look = await this.second.look(open);
      counts = addCounts(counts, look.counts);
      ({ wrong } = look);
      const left = wrong.map(({ suspect }) => suspect);
      for (const suspect of left) memory?.set(suspect, round);
      if (left.length < open.length) this.worker.progressed(false);
      open = left;
    }
    const end = await this.second.end(wrong.map(({ finding }) => finding));
    for (const suspect of all) memory?.set(suspect, undefined);
    return { counts: addCounts(counts, end.counts), findings: end.findings };
  }
}
