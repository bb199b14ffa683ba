import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app/app';
import { wallClock } from '../basics/wall-clock';
import { LostRowError } from '../ledger/range-rows';
import {
  backAtStart,
  FINDINGS_PER_RANGE,
  isFinal,
  isSameWalk,
  type FilePiece,
  type Finding,
  type KeyFinding,
  type MigrationRow,
  type RangeRow,
  type RangeState,
} from '../migration/rows';
import { shareAhead } from '../keyspace/cursor';
import { slotOf } from '../keyspace/slot-walk';
import { TemporaryNames } from '../transfer/by-commands';
import { Governor } from '../transfer/governor';
import { StoppedError, type StopReason, type StopSignal } from '../migration/stop';
import { lanesLeft } from './chain';
import { formerAmong, isWalkedAgain, writtenBefore } from './former-findings';
import { PagePlace } from './page-place';
import { parallelRangesOf, shareOfRange } from './range-shape';
import { keyAsTold, redactFinding } from '../migration/redact-finding';
import { accountedKeys, addCounts, noCounts, type Counts } from '../migration/counts';
import { ToldFindings } from './told-findings';

/** So many generations are told to have left temporary keys; what those before them left has expired long since. */
const MOST_BUILDERS = 16;

/** What a job needs of the app. */
export type JobApp = Pick<App, 'ledger' | 'settings' | 'telemetry' | 'watch'>;

/** How a job begins. */
export interface JobStart {
  /** When the write was sent by which the row was taken, by `performance.now`. */
  readonly takenAt?: number;
  /** How long it takes until what was taken before is paid off, ms. */
  readonly owedMs?: number;
  /** How many ranges share the migration's rates. */
  readonly lanes?: number;
  /** What was done ahead of the row's cursor. */
  readonly place?: PagePlace;
}

/** Gives a piece of a file; `force`: whatever it takes. */
type CutPiece = (force: boolean) => Promise<FilePiece | undefined>;

type Kept = Pick<RangeRow, 'cursor' | 'share' | 'counts' | 'borders' | 'piece' | 'inside' | 'findingRuns'>;

/** So many borders between masters are noted in a row: of a range with more, how much is behind which is not known. */
const MOST_BORDERS = 256;

/** The part of a silence that a row waits for its piece to be kept. */
const PIECE_PATIENCE = 1 / 4;

/** The part of a silence after which a worker that was not even looked after is taken for gone by the others soon. */
const FROZEN = 1 / 2;
/**
 * The hold on a row is a lease: for this part of a silence from when its last write was sent that succeeded. Whoever is cut off from the
 * storage sends nothing to the target any more long before others may go on with its range.
 */
const HELD = 3 / 4;
/** The part of a silence after which a row is written again at the latest, and how often it is looked whether it is time. */
const SIGN = 1 / 4;
const LOOKS_A_SIGN = 2;
/** ms */
const LONGEST_LOOK = 1_000;

/** For how long whoever has taken a row may go on with it unwritten, ms. */
export function holdMsOf({ silenceSeconds }: Pick<App['settings'], 'silenceSeconds'>): number {
  return silenceSeconds * 1_000 * HELD;
}

/**
 * So many workers may count what they do and do not keep (parts of a page, looks at suspects) as progress. Where as many have taken a
 * range and none has brought it forward, the next ones only do the same again.
 */
const MOST_TRIES = 3;

/** How often it is looked with how many others the rates are shared, ms. */
const LANES_MS = 2_000;

/** What work on keys of one database needs of whoever holds it, be it a range or what follows the source. */
export type JobHold = Pick<
  RangeJob,
  | 'migration'
  | 'governor'
  | 'isSlow'
  | 'place'
  | 'temporaryNames'
  | 'mayHaveWritten'
  | 'check'
  | 'beyondDeadline'
  | 'trouble'
  | 'doubtClocks'
  | 'beginTemporaryKeys'
> & { readonly row: Pick<RangeRow, 'database' | 'index' | 'bits'> };

/** Of a message's time, the part that limits may take inside one page. */
const PATIENCE = 1 / 4;

/**
 * One worker's hold on one range row: what it has done so far, when it must stop, and the writing of both.
 * Rows are written one after the other; the first write that fails for another worker's sake ends the job.
 */
export class RangeJob implements StopSignal {
  /** Keeps the work within the migration's limits. */
  readonly governor: Governor;
  /** Keys from the cursor on may have been written by the migration already. */
  readonly mayHaveWritten: boolean;
  /** What this worker's temporary keys are called. */
  readonly temporaryNames: TemporaryNames;
  /** What is done ahead of the cursor. */
  readonly place: PagePlace;
  private reason: StopReason | undefined;
  private writing: Promise<void> = Promise.resolve();
  private lastWrite = performance.now();
  /** When the last write was sent that succeeded. */
  private heldSince: number;
  private watchedAt = moment();
  private readonly deadline: number;
  /** Of works that may go on beyond the deadline. */
  private readonly extensions = new Set<{ readonly end: number }>();
  private readonly watching: NodeJS.Timeout;
  private settled = false;
  private lanes: number;
  private lanesAskedAt = performance.now();
  private hasFrozen = false;
  private building: Promise<void> | undefined;
  /** Counts of what is done behind the cursor and not told by keys. A checkpoint has not them. */
  private openCounts = noCounts;
  private openFindings: KeyFinding[] = [];
  private openPresumed = 0;
  private isUncounted = false;
  /** Of those that are counted. */
  private readonly findings: ToldFindings;
  private readonly runsBefore: RangeRow['findingRuns'];
  private ownRows: Promise<boolean> | undefined;
  private packSurvey: (() => Buffer) | undefined;
  private cutPiece: CutPiece | undefined;
  private isBorder: ((cursor: bigint) => boolean) | undefined;
  /** As it was written last: its cursor and the piece belong together. */
  private kept: Kept;
  private readonly startedAt: string;
  private readonly startedInside: boolean;
  /** It is handed on from where it was taken: whoever goes on must take smaller steps. */
  private stands = false;
  /** What others took is still owed, and nothing tried yet. */
  private paysOff: boolean;

  constructor(
    private current: RangeRow,
    readonly migration: MigrationRow,
    private readonly app: JobApp,
    {
      takenAt = performance.now(),
      owedMs = 0,
      lanes = parallelRangesOf(migration.plan),
      place = new PagePlace(),
    }: JobStart = {},
  ) {
    this.heldSince = takenAt;
    this.paysOff = owedMs > 0;
    this.place = place;
    place.onNote = () => {
      this.progressed(false);
    };
    this.kept = keptOf(current);
    this.findings = new ToldFindings(current, app.ledger.findings.batches, isWalkedAgain(migration));
    this.runsBefore = current.findingRuns;
    this.startedAt = current.cursor;
    this.startedInside = current.inside;
    this.mayHaveWritten = current.wroteAhead || migration.epoch > 0;
    const seconds = app.settings.rangeSeconds;
    this.deadline = performance.now() + seconds * 1_000;
    const share = shareOfRange(migration.plan, lanes);
    this.governor = new Governor(share, this, owedMs, seconds * PATIENCE * 1_000);
    this.lanes = lanes;
    const { name: range, generation, builders } = current;
    this.temporaryNames = new TemporaryNames(
      { migration: migration.id, range, generation },
      builders,
      Date.now,
      migration.plan.target.abilities.ownKeys,
    );
    const watchMs = Math.min(LONGEST_LOOK, (app.settings.silenceSeconds * 1_000 * SIGN) / LOOKS_A_SIGN);
    this.watching = setInterval(() => void this.watch(), watchMs);
    this.watching.unref();
  }

  /** How long it takes until all that was taken of the rates is paid off, ms. */
  get owedMs(): number {
    return this.governor.owedMs;
  }

  /** The row as it will be written next. */
  get row(): RangeRow {
    return this.current;
  }

  /** A message's time was not enough for the page at the cursor. */
  get isSlow(): boolean {
    return this.startedInside && this.current.cursor === this.startedAt;
  }

  /**
   * Has a survey written with the row from now on. `pack` must always give what belongs to the row's cursor: it is called
   * whenever the row is written.
   */
  attachSurvey(pack: () => Buffer): void {
    this.packSurvey = pack;
  }

  /**
   * Has a piece of a file written with the row from now on. `cut` must always give what belongs to the row's cursor in the moment when
   * it is called, once that is kept, or nothing where it is not worth it yet; it is called whenever the row is written. Until a piece is
   * kept the row stays at the cursor that it was written with last.
   */
  attachPiece(cut: CutPiece): void {
    this.cutPiece = cut;
  }

  /** Has it noted in the row where the walk comes from one master's slots to another's. */
  attachBorders(isBorder: (cursor: bigint) => boolean): void {
    this.isBorder = isBorder;
  }

  private noteBorder(next: bigint): void {
    const { borders, counts } = this.current;
    if (next === 0n || borders.length >= MOST_BORDERS || this.isBorder?.(next) !== true) return;
    this.current = { ...this.current, borders: [...borders, [slotOf(next), accountedKeys(counts)]] };
  }

  check(): void {
    // A process that was frozen, asleep or cut off for long may have lost its range: whoever goes on must take the row first.
    if (this.reason === undefined && (this.wasFrozen() || performance.now() >= this.lastMoment)) this.stop('deadline');
    if (this.reason !== undefined) throw new StoppedError(this.reason);
  }

  /**
   * Does what would have to be done all over again otherwise, for up to `ms` even beyond the deadline, which holds again afterwards.
   * A process that was frozen, or cut off from the storage, gets no more time. Throws what the work throws.
   */
  async beyondDeadline<T>(ms: number, work: () => Promise<T>): Promise<T> {
    const extension = { end: performance.now() + ms };
    if (!this.hasFrozen) {
      this.extensions.add(extension);
      if (this.reason === 'deadline') this.reason = undefined;
    }
    try {
      return await work();
    } finally {
      this.extensions.delete(extension);
    }
  }

  /** Whether the process stood still, or could not write its row, for so long that the range may have been taken for lost. */
  get froze(): boolean {
    return this.hasFrozen;
  }

  /** Whether the message's own time is over, whatever goes on beyond it. */
  get isOver(): boolean {
    return performance.now() >= this.deadline;
  }

  private get lastMoment(): number {
    return Math.max(this.deadline, ...[...this.extensions].map(({ end }) => end));
  }

  /**
   * Adds what was done up to a cursor; `next` is undefined inside a page. Findings are written before the row that counts them, and
   * count by that row alone, so that a crash in between neither loses nor doubles one.
   * @param moved called when the cursor moves, in the same moment
   * @param presumed of the keys that count as copied, those that the target had and that may have been there before
   */
  async add(
    counts: Partial<Counts>,
    findings: readonly KeyFinding[],
    next: bigint | undefined,
    moved?: () => void,
    presumed = 0,
  ): Promise<void> {
    const told = await this.told(counts, findings);
    this.openCounts = addCounts(this.openCounts, told.counts);
    this.openPresumed += presumed;
    this.openFindings.push(...told.findings);
    this.progressed(next !== undefined);
    if (next === undefined) return;
    const { index, bits } = this.current;
    const share = next === 0n ? 1 : 1 - shareAhead({ index, bits }, next);
    const all = this.openFindings;
    this.openFindings = [];
    this.current = { ...this.current, cursor: String(next), share };
    this.count(this.openCounts, all, this.openPresumed);
    this.noteBorder(next);
    this.openCounts = noCounts;
    this.openPresumed = 0;
    moved?.();
    await this.checkpointInTime();
  }

  /** Adds what was done of keys ahead of the cursor: whoever goes on there finds them done. Findings as with `add`. */
  async addAhead(
    counts: Partial<Counts>,
    findings: readonly KeyFinding[],
    keys: readonly Buffer[],
    presumed = 0,
  ): Promise<void> {
    const told = await this.told(counts, findings);
    this.count(told.counts, told.findings, presumed);
    this.place.add(keys);
    this.progressed(true);
    await this.checkpointInTime();
  }

  /** What is to be counted, with the findings that are to be kept. */
  private async told(counts: Partial<Counts>, found: readonly KeyFinding[]) {
    const all = addCounts(addCounts(noCounts, counts), { findings: found.length });
    this.app.telemetry.page(this.migration.id, all);
    return { counts: all, findings: await this.unwritten(found) };
  }

  /** Those of findings that no version before has written already, with a row for each. */
  private async unwritten(found: readonly KeyFinding[]): Promise<readonly KeyFinding[]> {
    if (found.length === 0) return found;
    const { ledger } = this.app;
    this.ownRows ??= ledger.findings.hasOwnRows(this.migration.id);
    if (!(await this.ownRows)) return found;
    const same = await writtenBefore(this.asTold(found), ledger);
    // As they are found last.
    await ledger.findings.add(this.asFindings(found.filter((_, i) => same.has(i))));
    return found.filter((_, i) => !same.has(i));
  }

  /** Brings counts into the row, and what is told with them on its way. */
  private count(counts: Counts, findings: readonly KeyFinding[], presumed: number): void {
    const room = Math.max(0, FINDINGS_PER_RANGE - this.current.counts.findings);
    const { findingKeys } = this.app.settings;
    this.findings.add({
      kept: this.asFindings(findings.slice(0, room)),
      keys: this.findings.isMarked ? findings.map(({ key }) => keyAsTold(key, findingKeys)) : [],
    });
    const { run } = this.findings;
    this.current = {
      ...this.current,
      counts: addCounts(this.current.counts, counts),
      presumedOwn: this.current.presumedOwn + presumed,
      findingRuns: run === undefined ? this.runsBefore : [...this.runsBefore, run],
    };
  }

  private async checkpointInTime(): Promise<void> {
    if (performance.now() - this.lastWrite >= this.app.settings.checkpointSeconds * 1_000) await this.checkpoint();
    else if (this.findings.isDue) await this.findings.flush();
  }

  /**
   * Notes that something was done.
   * @param kept the row has it, so that whoever takes the range next need not do it again
   */
  progressed(kept: boolean): void {
    if (!kept && this.current.tries > MOST_TRIES) return;
    this.current = { ...this.current, progress: this.current.progress + 1, ...(kept ? { tries: 0 } : {}) };
  }

  /** Those of findings whose keys have none by an earlier walk, or by whoever follows the source. */
  async withoutFormer(found: readonly KeyFinding[]): Promise<readonly KeyFinding[]> {
    if (found.length === 0) return found;
    const { migration } = this;
    const { ledger } = this.app;
    const former = await formerAmong(migration, this.current, this.asTold(found), ledger);
    return former.size === 0 ? found : found.filter((_, i) => !former.has(i));
  }

  /** Notes that expiries may be wrong by so much. */
  doubtClocks(ms: number): void {
    this.current = { ...this.current, clockDoubtMs: Math.max(this.current.clockDoubtMs, Math.ceil(ms)) };
  }

  /** The work on a part begins: until `allCounted`, what it has written may be in no count. */
  beginsWork(): void {
    this.isUncounted = true;
  }

  /** Whatever was written is in the counts, or told by the keys ahead of the cursor. */
  allCounted(): void {
    this.isUncounted = this.openCounts !== noCounts;
  }

  /** Says what holds the range up; null when it goes on. Written with the next heartbeat. */
  trouble(text: string | null): void {
    if (text !== null && text !== this.current.trouble) this.logTrouble(text);
    this.current = { ...this.current, trouble: text };
  }

  /**
   * Writes down that this worker builds temporary keys; to be awaited before the first one. Whatever becomes of the worker,
   * whoever goes on with the range and the end of the migration know of them then. Throws as `checkpoint` does.
   */
  async beginTemporaryKeys(): Promise<void> {
    this.building ??= this.writeBuilder().catch((error: unknown) => {
      this.building = undefined;
      throw error;
    });
    await this.building;
  }

  private async writeBuilder(): Promise<void> {
    const { builders, generation } = this.current;
    if (!builders.includes(generation)) {
      this.current = { ...this.current, builders: [...builders, generation].slice(-MOST_BUILDERS) };
    }
    await this.checkpoint();
  }

  /** Writes the row. Throws StoppedError when another worker has it. */
  async checkpoint(): Promise<void> {
    // What went wrong with an earlier write was told to whoever asked for that one.
    this.writing = this.writing.catch(() => undefined).then(() => this.write());
    await this.writing;
  }

  /** Writes the row's last state. */
  async settle(state: RangeState): Promise<void> {
    this.settled = true;
    clearInterval(this.watching);
    const share = state === 'done' ? 1 : this.current.share;
    this.current = { ...this.current, state, share, trouble: null, builders: this.buildersLeft() };
    await this.checkpoint();
  }

  /** Writes the row for the next worker: waiting for its message, with its place kept. */
  async handOn(): Promise<void> {
    this.end();
    this.stands = this.current.cursor === this.startedAt;
    const tries = this.place.isFurther ? 0 : this.current.tries;
    const wroteAhead = this.current.wroteAhead || this.isUncounted;
    this.current = { ...this.current, tries, wroteAhead, state: 'planned', builders: this.buildersLeft() };
    await this.checkpoint();
  }

  /** Writes the row for the next delivery of the message: waiting for it, with its place kept, and why this one came to nothing. */
  async giveUp(cause: string): Promise<void> {
    this.trouble(cause);
    this.current = { ...this.current, cause };
    await this.handOn();
  }

  /**
   * Writes the row for the next worker, who begins at the range's start again; what was found so far counts no more.
   * @param restMs after so long the message for that comes
   */
  async beginAnew(reason: string, restMs: number): Promise<void> {
    this.end();
    await this.writing.catch(() => undefined);
    this.place.clear();
    this.packSurvey = undefined;
    const { current } = this;
    const builders = this.buildersLeft();
    const begunAnew = current.begunAnew + 1;
    const restsUntil = restMs === 0 ? null : new Date(this.app.ledger.now() + restMs).toISOString();
    this.current = { ...backAtStart(current), builders, begunAnew, restsUntil, trouble: reason };
    await this.checkpoint();
  }

  /** The generations that may have left temporary keys, without this one where it knows that all of its own are gone. */
  private buildersLeft(): readonly number[] {
    const { builders, generation } = this.current;
    return this.temporaryNames.areGone ? builders.filter((each) => each !== generation) : builders;
  }

  /** Ends the watching; the row stays as it is. */
  end(): void {
    this.settled = true;
    clearInterval(this.watching);
  }

  private logTrouble(text: string): void {
    this.app.telemetry.log('warn', 'Range held up', {
      'keyferry.migration': this.migration.id,
      'keyferry.range': this.current.name,
      'keyferry.trouble': text,
    });
  }

  /** Findings without their words, for those who ask which of them are known. */
  private asTold(found: readonly KeyFinding[]): Omit<Finding, 'message'>[] {
    const { migration, database, phase, epoch } = this.current;
    const { findingKeys } = this.app.settings;
    return found.map(({ key, code }) => ({
      ...{ migration, database, phase, epoch },
      key: keyAsTold(key, findingKeys),
      code,
    }));
  }

  private asFindings(found: readonly KeyFinding[]): Finding[] {
    const { migration, database, phase, epoch } = this.current;
    const { findingKeys } = this.app.settings;
    return found.map((finding) => redactFinding(finding, { migration, database, phase, epoch }, findingKeys));
  }

  private async write(): Promise<void> {
    if (this.reason === 'lost') throw new StoppedError('lost');
    this.lastWrite = performance.now();
    // A wait that a limit asks for is no standstill, but where it is for what is done again and again.
    if (this.governor.hasWaited()) this.progressed(false);
    if (this.paysOff && !this.governor.paysOff) {
      this.paysOff = false;
      this.current = { ...this.current, tries: this.current.tries + 1 };
    }
    try {
      const inside = this.stands || !this.place.isEmpty;
      const beside = { survey: this.packSurvey?.(), place: inside ? this.place.pack() : undefined };
      const place = this.cutPiece === undefined ? { inside } : await this.placeWithPiece(this.cutPiece, inside);
      const row = { ...this.current, ...place, heartbeat: this.app.ledger.time() };
      await this.findings.flush();
      const sentAt = performance.now();
      const { etag } = await this.app.ledger.ranges.replace(row, beside);
      this.current = { ...this.current, etag };
      this.heldSince = sentAt;
    } catch (error) {
      if (!(error instanceof LostRowError)) throw error;
      this.stop('lost');
      throw new StoppedError('lost');
    }
  }

  /** Where the row may say that the range is: with all of its piece up to there kept. */
  private async placeWithPiece(cut: CutPiece, inside: boolean): Promise<Kept> {
    // All of it belongs to one cursor, which may move while the piece is being kept.
    const { cursor, share, counts, borders, state, findingRuns } = this.current;
    const cutting = cut(state !== 'active');
    const kept = (piece: FilePiece | undefined) => {
      if (piece !== undefined) this.kept = { cursor, share, counts, borders, piece, inside, findingRuns };
      return this.kept;
    };
    // What is done must be kept; otherwise a sign of life does not wait for it, nor for what will never be.
    if (state === 'done') return kept(await cutting);
    const patience = new AbortController();
    const late = sleep(this.app.settings.silenceSeconds * 1_000 * PIECE_PATIENCE, undefined, {
      signal: patience.signal,
      ref: false,
    }).catch(() => undefined);
    try {
      return kept(await Promise.race([cutting, late]));
    } catch {
      // Whoever appends to the piece hears of it.
      return this.kept;
    } finally {
      patience.abort();
    }
  }

  private wasFrozen(): boolean {
    const now = moment();
    // The monotonic clock may stand while the machine sleeps, and the other one be set forward: that costs a message, and no more.
    const passed = Math.max(now.monotonic - this.watchedAt.monotonic, now.wall - this.watchedAt.wall);
    const { settings } = this.app;
    this.hasFrozen ||= passed > FROZEN * settings.silenceSeconds * 1_000;
    // In the end the row is written once more, whatever that takes: nothing is sent to the target any more.
    this.hasFrozen ||= !this.settled && now.monotonic - this.heldSince > holdMsOf(settings);
    return this.hasFrozen;
  }

  /** Each second or sooner: is the migration cancelled, or sent back to its start, and is it time for a heartbeat? */
  private async watch(): Promise<void> {
    if (this.wasFrozen()) this.stop('deadline');
    this.watchedAt = moment();
    try {
      const migration = await this.app.watch.get(this.migration.id);
      if (this.settled) return;
      if (migration === undefined || isFinal(migration) || !isSameWalk(migration, this.migration)) this.stop('lost');
      else if (migration.cancelRequested) this.stop('cancelled');
      else if (performance.now() - this.lastWrite >= this.signMs) await this.checkpoint();
      await this.shareRates();
    } catch {
      // Storage may be away for a moment; the next second asks again, and what is lost shows at the next write.
    }
  }

  /** After so long the row is written again even where nothing was done, ms. */
  private get signMs(): number {
    const { checkpointSeconds, silenceSeconds } = this.app.settings;
    return 1_000 * Math.min(checkpointSeconds, silenceSeconds * SIGN);
  }

  /** Where other chains have come to their end, this one goes on faster. */
  private async shareRates(): Promise<void> {
    if (this.lanes === 1 || performance.now() - this.lanesAskedAt < LANES_MS) return;
    this.lanesAskedAt = performance.now();
    const lanes = await lanesLeft(this.migration, this.app);
    if (lanes >= this.lanes) return;
    this.lanes = lanes;
    this.governor.keepWithin(shareOfRange(this.migration.plan, lanes));
  }

  private stop(reason: StopReason): void {
    this.reason ??= reason;
    // Of a deadline the work may be given more time; the others are the end.
    if (this.reason !== 'deadline') clearInterval(this.watching);
  }
}

function keptOf({ cursor, share, counts, borders, piece, inside, findingRuns }: RangeRow): Kept {
  return { cursor, share, counts, borders, piece, inside, findingRuns };
}

function moment() {
  return { monotonic: performance.now(), wall: wallClock() };
}
