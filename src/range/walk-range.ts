import type { Converter } from '../convert/converter';
import { noCounts, type Counts } from '../migration/counts';
import type { KeyFinding } from '../migration/rows';
import type { Selection } from '../migration/selection';
import { StoppedError } from '../migration/stop';
import type { BytesInFlight } from '../transfer/bytes-in-flight';
import { readRange, type Part } from '../transfer/range-pages';
import type { Stop } from '../transfer/command-copier';
import { convertSourceOf, type Origin } from '../transfer/side';
import type { RangeJob } from './range-job';
import { pageLimitsOf } from './range-shape';
import { Suspects, type SecondLook } from './suspects';

/** Parts of one range that are in work while the next one is read. */
const PARTS_IN_WORK = 2;

/** How long a look at suspects may go on beyond the deadline of the message. */
const MOST_BEYOND_MS = 30_000;

/** What a mode did with a part of the keys. */
export interface Outcome<Suspect = never> {
  readonly counts: Partial<Counts>;
  readonly findings?: readonly KeyFinding[];
  /** Keys that are to be looked at again before anything is said of them. */
  readonly suspects?: readonly Suspect[];
  /** Called in the moment when the cursor moves behind the part: what is kept beside the row must belong to its cursor. */
  readonly moved?: () => void;
  /** The work had to stop before it came to these keys of the part, or to their end. All others are done and counted. */
  readonly stopped?: Stop | undefined;
  /** Of the keys that count as copied, those that the target had and that may have been there before. */
  readonly presumed?: number;
}

/** What a mode does with the keys that a walk brings. */
export interface Mode<Suspect = never, Seen = never> {
  readonly selection: Selection;
  /** Each claims keys by name, and reads what belongs to them; the first one that does gets them. */
  readonly converters: readonly Converter[];
  /** It can stop inside a part and tell what is done of it; of others a page that is slow comes key by key. */
  readonly tellsKeys?: boolean;
  /** Whether values are to be read with the next page. */
  readonly wantsValues: () => boolean;
  /** Works on one part. Several are in work at once; what they did counts in the order of the walk. Throws what ends the range. */
  readonly work: (part: Part<Seen>) => Promise<Outcome<Suspect>>;
  /** Needed where there are suspects. */
  readonly secondLook?: SecondLook<Suspect>;
}

/** What all walks of a process share. */
export interface WalkApp {
  readonly budget: BytesInFlight;
  readonly settings: { readonly pageMicros: number };
}

let walksWithSuspects = 0;

/**
 * Walks a range from its row's cursor to its end, page by page, and has a mode work on what it brings, while the next page is
 * read. Whatever is done behind it, the cursor never moves beyond a part that is not done, nor beyond one with suspects that
 * were not looked at again.
 * @throws StoppedError, SourceChangedError, or the error that ends the range; what is on its way then is waited for and
 *   counted, unless the range is lost
 */
export async function walkRange<Suspect = never, Seen = never>(
  job: RangeJob,
  app: WalkApp,
  origin: Origin<Seen>,
  mode: Mode<Suspect, Seen>,
): Promise<void> {
  // A worker before came to the end and no further: from the cursor there, 0, the walk would begin again.
  if (job.row.share === 1) return;
  const { plan } = job.migration;
  if (origin.isBorder !== undefined) job.attachBorders(origin.isBorder);
  const parts = readRange(origin.reader, {
    range: job.row,
    start: BigInt(job.row.cursor),
    expectedKeys: origin.expectedKeys,
    cursorOrder: origin.cursorOrder,
    staysInside: origin.staysInside,
    ...pageLimitsOf(plan, app.settings.pageMicros),
    selection: mode.selection,
    converters: mode.converters,
    source: convertSourceOf(origin),
    wantsValues: mode.wantsValues,
    budget: app.budget.until(job),
    pace: job.governor,
    attempt: origin.attempt,
    ahead: job.place,
    bitByBit: job.isSlow && mode.tellsKeys !== true,
  });
  // Under a limit on bytes none: what the work on a part reads is not known before it is done.
  const mostInWork = plan.request.limits.bytesPerSecond > 0 ? 0 : PARTS_IN_WORK;
  const progress = new Progress(job, mode.secondLook);
  if (mode.secondLook !== undefined) walksWithSuspects++;
  const inWork: { readonly part: Part<Seen>; readonly outcome: Promise<Outcome<Suspect>> }[] = [];
  const finishOldest = async () => {
    const [oldest] = inWork;
    if (oldest === undefined) return;
    // One that was not done stays the first: what was done behind it must not move the cursor beyond it.
    const outcome = await oldest.outcome;
    if (outcome.stopped !== undefined) throw outcome.stopped.by;
    inWork.shift();
    await progress.add(outcome, oldest.part);
  };
  const finishAll = async () => {
    while (inWork.length > 0) await finishOldest();
  };
  /** Of the page in which the work had to stop, what is done without all before it being done. Whether that is all that was written. */
  const keepAhead = async () => {
    let isAll = true;
    let isInPage = true;
    for (const { part, outcome } of inWork) {
      const done = await outcome.catch(() => undefined);
      const isTold = done && (isInPage ? await progress.addAhead(done, part) : hasWrittenNothing(done));
      if (isTold !== true || done.stopped?.perhapsWritten === true) isAll = false;
      if (part.next !== undefined) isInPage = false;
    }
    return isAll;
  };
  try {
    for await (const part of parts) {
      job.beginsWork();
      const outcome = mode.work(part).finally(() => {
        app.budget.give(part.taken);
      });
      // Whoever waits for it hears of a failure; until then it is no unhandled one.
      outcome.catch(() => undefined);
      inWork.push({ part, outcome });
      while (inWork.length > mostInWork) await finishOldest();
    }
    await finishAll();
    await progress.end();
  } catch (error) {
    // What is on its way is still counted: where pages are slow, a range would else never get beyond its first ones.
    const mayCount = error instanceof StoppedError && error.reason !== 'lost' && !progress.isBroken;
    if (mayCount) await finishAll().catch(() => undefined);
    // Nor beyond its first suspects, where looking at them again takes longer than is left.
    if (mayCount && error.reason === 'deadline' && !progress.isBroken) await progress.end().catch(() => undefined);
    if (mayCount && error.reason === 'deadline' && !progress.isBroken && (await keepAhead())) job.allCounted();
    throw error;
  } finally {
    if (mode.secondLook !== undefined) walksWithSuspects--;
    origin.end?.();
    await Promise.allSettled(inWork.map(({ outcome }) => outcome));
  }
}

/** Brings what was done, in the order of the walk, into the range's row. */
class Progress<Suspect> {
  private readonly suspects: Suspects<Suspect> | undefined;
  /** The end of the last whole page: undefined inside a page, where there is no place to go on from. */
  private next: bigint | undefined;
  private moves: (() => void)[] = [];
  /** Keys behind `next` that earlier workers had done. */
  private met: Buffer[] = [];
  /** Something was taken in and not written down: nothing that comes behind it may move the cursor. */
  isBroken = false;

  constructor(
    private readonly job: RangeJob,
    secondLook: SecondLook<Suspect> | undefined,
  ) {
    this.suspects = secondLook && new Suspects(secondLook, job, () => walksWithSuspects);
  }

  async add(outcome: Outcome<Suspect>, part: Part<unknown>): Promise<void> {
    const { counts, findings = [], suspects = [], moved, presumed = 0 } = outcome;
    const { next } = part;
    this.isBroken = true;
    this.suspects?.add(suspects);
    this.next = next;
    this.met.push(...(part.ahead ?? []));
    if (moved !== undefined) this.moves.push(moved);
    const waits = this.suspects?.none === false;
    if (next === undefined && !waits && this.canBeAhead(outcome, part)) {
      await this.job.addAhead(counts, findings, keysOf(part), presumed);
    } else await this.job.add(counts, findings, waits ? undefined : next, this.move, presumed);
    if (this.suspects?.due === true && next !== undefined) await this.settle();
    this.isBroken = false;
  }

  /** Adds what is done of a part before which another one is not. Whether it could. */
  async addAhead(outcome: Outcome<Suspect>, part: Part<unknown>): Promise<boolean> {
    if (!this.canBeAhead(outcome, part)) return false;
    const done = doneOf(part, outcome);
    // A stop before the first key is no progress.
    if (done.length === 0) return true;
    const { counts, findings = [], presumed = 0 } = outcome;
    const scanned = (counts.scanned ?? 0) - (outcome.stopped?.before.length ?? 0);
    await this.job.addAhead({ ...counts, scanned }, findings, done, presumed);
    return true;
  }

  /** Whether it can be told of each key of a part that it is done, or not. */
  private canBeAhead({ suspects = [], moved }: Outcome<Suspect>, part: Part<unknown>): boolean {
    return suspects.length === 0 && moved === undefined && this.job.place.hasRoomFor(keysOf(part).length);
  }

  /** To be called behind the last part, or the last one that was done. */
  async end(): Promise<void> {
    if (this.suspects?.none === false && this.next !== undefined) await this.settle();
  }

  private async settle(): Promise<void> {
    // Cut off at the deadline, it would be cut off again with the next message: the cursor is before all suspects.
    await this.job.beyondDeadline(MOST_BEYOND_MS, () => this.settleNow());
  }

  private async settleNow(): Promise<void> {
    const { counts = noCounts, findings = [] } = (await this.suspects?.settle()) ?? {};
    await this.job.add(counts, await this.job.withoutFormer(findings), this.next, this.move);
  }

  private readonly move = () => {
    for (const moved of this.moves) moved();
    this.moves = [];
    this.job.place.passed(this.met);
    this.met = [];
  };
}

/** All keys that are done with a part. */
function keysOf({ page, others = [] }: Part<unknown>): readonly Buffer[] {
  return others.length === 0 ? page.keys : [...page.keys, ...others];
}

/** The same without those before which the work had to stop. */
function doneOf(part: Part<unknown>, { stopped }: Outcome<unknown>): readonly Buffer[] {
  const undone = new Set(stopped?.before);
  return keysOf(part).filter((key) => !undone.has(key));
}

/** What was taken for the migration's own is looked at again as well: it may be. */
function hasWrittenNothing({ counts: { copied = 0, converted = 0 } }: Outcome<unknown>): boolean {
  return copied === 0 && converted === 0;
}
