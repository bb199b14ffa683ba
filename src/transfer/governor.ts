import { LARGEST_COUNT } from '../keyspace/page-size';
import { pause, type StopSignal } from '../migration/stop';

/** What one range may take; 0: no limit. */
export interface Share {
  readonly keysPerSecond: number;
  /** Of values, as they come from the source. */
  readonly bytesPerSecond: number;
  /** How long a call may spend at the source, waiting in its queue included, ms. */
  readonly maxSourceLatencyMs: number;
}

/** What one call to the source brought. */
export interface Taken {
  readonly bytes: number;
  /** What the server says of its own work in it; undefined where it does not say. */
  readonly micros: number | undefined;
}

/** What a walk over a range asks whoever watches its limits. */
export interface Pace {
  /** Waits until a page may begin. Throws StoppedError when the work must end. */
  turn(): Promise<void>;
  /** Notes that a page had so many keys. */
  tookKeys(keys: number): void;
  /** The COUNT that a page may have for its rates. */
  mostKeys(): number;
  /** The longest that the source worked on one call since this was asked last, microseconds; 0 where nobody was promised a latency. */
  slowestMicros(): number;
}

/** A limit on keys is kept within this part of a second, one on bytes within so many seconds. */
const PAGES_PER_SECOND = 4;
const SECONDS_A_PAGE = 2;
/** A pause never gets longer, nor longer than so many times the limit: a source that is slow for other reasons must not stop the migration. */
const LONGEST_PAUSE_MS = 100;
const LONGEST_PAUSE_LIMITS = 50;
/** The first one; timers know no shorter ones. */
const SHORTEST_PAUSE_MS = 1;
/** In a long wait it is looked so often whether it still is one, ms. */
const LONGEST_NAP_MS = 1_000;
/** The quickest of so many answers counts: single slow ones are chance, or this process itself that was late. */
const ANSWERS_A_LOOK = 16;

/**
 * Keeps a range within its share. Each range looks only at what it sees itself, so that no instance waits for another: rates
 * are spread over time (what was not used is not saved up), and pauses between calls grow and shrink with the source's answers.
 */
export class Governor implements Pace {
  private pauseMs = 0;
  private pausedUntil = 0;
  private owedUntil: number;
  /** What others took is still owed. */
  paysOff: boolean;
  private patientUntil: number;
  private latest: number[] = [];
  /**
   * The shortest way to the source and back: what an answer takes beyond it, it spent at the source. Calls that tell how
   * long the server worked on them bring much, others little: each kind has its own.
   */
  private readonly wayMs = { told: Number.POSITIVE_INFINITY, untold: Number.POSITIVE_INFINITY };
  private slowest = 0;
  private waited = false;
  private waiting = 0;
  private queue: Promise<unknown> = Promise.resolve();
  /** Of the latest pages: each counts half when the next one begins. */
  private readonly recent = { keys: 0, bytes: 0 };

  /**
   * @param owedMs how long it takes until what was taken before is paid off
   * @param patienceMs how long calls may be kept waiting inside one page: a page that does not end has no place to go on from.
   *   What it took beyond that is owed then
   */
  constructor(
    private share: Share,
    private readonly stop: StopSignal,
    owedMs = 0,
    private readonly patienceMs = Number.POSITIVE_INFINITY,
  ) {
    this.owedUntil = performance.now() + owedMs;
    this.paysOff = owedMs > 0;
    this.patientUntil = performance.now() + patienceMs;
  }

  /** How long it takes until all that was taken is paid off. */
  get owedMs(): number {
    return Math.max(0, this.owedUntil - performance.now());
  }

  /** Keeps within another share from now on: by that, what is owed is paid off sooner or later. */
  keepWithin(share: Share): void {
    const now = performance.now();
    const factor = secondsOf(1, share.keysPerSecond) / secondsOf(1, this.share.keysPerSecond);
    const byBytes = secondsOf(1, share.bytesPerSecond) / secondsOf(1, this.share.bytesPerSecond);
    const scale = Number.isFinite(factor) ? factor : Number.isFinite(byBytes) ? byBytes : 1;
    if (this.owedUntil > now) this.owedUntil = now + (this.owedUntil - now) * scale;
    this.share = share;
  }

  /** Whether the limits have kept anything waiting since this was asked last. */
  hasWaited(): boolean {
    const waited = this.waited || this.waiting > 0;
    this.waited = false;
    return waited;
  }

  async turn(): Promise<void> {
    await this.waitUntil(() => Math.max(this.pausedUntil, this.owedUntil));
    this.patientUntil = performance.now() + this.patienceMs;
    this.recent.keys /= 2;
    this.recent.bytes /= 2;
  }

  tookKeys(keys: number): void {
    this.recent.keys += keys;
    this.owe(secondsOf(keys, this.share.keysPerSecond));
  }

  mostKeys(): number {
    const { keysPerSecond, bytesPerSecond } = this.share;
    const { keys, bytes } = this.recent;
    const byKeys = keysPerSecond === 0 ? LARGEST_COUNT : Math.floor(keysPerSecond / PAGES_PER_SECOND);
    // Nothing tells how large values are before the first ones came.
    const bytesAKey = keys === 0 ? Number.POSITIVE_INFINITY : bytes / keys;
    const byBytes =
      bytesPerSecond === 0 ? LARGEST_COUNT : Math.floor((bytesPerSecond * SECONDS_A_PAGE) / Math.max(1, bytesAKey));
    return Math.max(1, Math.min(LARGEST_COUNT, byKeys, byBytes));
  }

  slowestMicros(): number {
    const { slowest } = this;
    this.slowest = 0;
    return slowest;
  }

  /**
   * Makes one call to the source as soon as the share allows it; where a latency was promised, one after the other.
   * @param takenBy undefined where nothing was asked of the source after all
   * @throws StoppedError when the work must end, and what the call throws
   */
  async through<T>(call: () => Promise<T>, takenBy: (result: T) => Taken | undefined): Promise<T> {
    if (this.share.maxSourceLatencyMs === 0) return await this.timed(call, takenBy);
    const mine = this.queue.then(() => this.timed(call, takenBy));
    this.queue = mine.catch(() => undefined);
    return await mine;
  }

  private async timed<T>(call: () => Promise<T>, takenBy: (result: T) => Taken | undefined): Promise<T> {
    await this.waitUntil(() => Math.min(Math.max(this.pausedUntil, this.owedUntil), this.patientUntil));
    const asked = performance.now();
    const result = await call();
    const latencyMs = performance.now() - asked;
    const taken = takenBy(result);
    if (taken === undefined) return result;
    const { bytes, micros } = taken;
    this.recent.bytes += bytes;
    this.owe(secondsOf(bytes, this.share.bytesPerSecond));
    if (this.share.maxSourceLatencyMs > 0) this.learn(latencyMs, micros);
    return result;
  }

  private owe(seconds: number): void {
    if (seconds > 0) this.owedUntil = Math.max(this.owedUntil, performance.now()) + seconds * 1_000;
  }

  /** @param time when it ends, by the monotonic clock, ms; another share may change it meanwhile */
  private async waitUntil(time: () => number): Promise<void> {
    for (let wait = time() - performance.now(); wait >= 1; wait = time() - performance.now()) {
      try {
        this.waiting++;
        await pause(Math.min(wait, LONGEST_NAP_MS), this.stop);
      } finally {
        this.waiting--;
        this.waited = true;
      }
    }
    if (this.owedUntil <= performance.now()) this.paysOff = false;
  }

  private learn(latencyMs: number, micros: number | undefined): void {
    const kind = micros === undefined ? 'untold' : 'told';
    this.wayMs[kind] = Math.min(this.wayMs[kind], Math.max(0, latencyMs - (micros ?? 0) / 1_000));
    const atSourceMs = latencyMs - this.wayMs[kind];
    this.slowest = Math.max(this.slowest, micros ?? atSourceMs * 1_000);
    this.latest.push(atSourceMs);
    if (this.latest.length >= ANSWERS_A_LOOK) {
      this.pauseMs = nextPause(this.pauseMs, Math.min(...this.latest), this.share.maxSourceLatencyMs);
      this.latest = [];
    }
    this.pausedUntil = performance.now() + this.pauseMs;
  }
}

/**
 * The pause after each call, ms: doubled when the source took longer than it may, shorter by a third when it did not.
 * @param atSourceMs what a call spent at the source
 */
export function nextPause(pauseMs: number, atSourceMs: number, limitMs: number): number {
  if (atSourceMs > limitMs) {
    const longest = Math.min(LONGEST_PAUSE_MS, limitMs * LONGEST_PAUSE_LIMITS);
    return Math.max(SHORTEST_PAUSE_MS, Math.min(longest, pauseMs * 2));
  }
  const shorter = (pauseMs * 2) / 3;
  return shorter < SHORTEST_PAUSE_MS ? 0 : shorter;
}

function secondsOf(amount: number, perSecond: number): number {
  return perSecond > 0 ? amount / perSecond : 0;
}
