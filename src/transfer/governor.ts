import { pause, type StopSignal } from './stop';

/** What one range may take; 0: no limit. */
export interface Share {
  readonly keysPerSecond: number;
  /** Of payloads. */
  readonly bytesPerSecond: number;
  /** How long a call may spend at the source, waiting in its queue included, ms. */
  readonly maxSourceLatencyMs: number;
}

/** How long one call took: from asking to the answer, and what the server says of its own work in it; ms. */
export interface Answer {
  readonly latencyMs: number;
  readonly serverMs: number;
}

/** What a page took. */
export interface Spent {
  readonly keys: number;
  readonly bytes?: number;
  /** Of the call that scanned it. */
  readonly answer?: Answer | undefined;
}

/** A pause never gets longer: a source that is slow for other reasons must not stop the migration. */
const LONGEST_PAUSE_MS = 100;
const FIRST_PAUSE_MS = 2;
/** Shorter ones are none. */
const SHORTEST_PAUSE_MS = 0.5;
/** The quickest of so many answers counts: single slow ones are chance, or this process itself that was late. */
const ANSWERS_A_LOOK = 4;

/**
 * Keeps a range within its share. Each range looks only at what it sees itself, so that no instance waits for another:
 * rates are spread over time (what was not used is not saved up), and pauses grow and shrink with the source's answers.
 */
export class Governor {
  private freeAt = Date.now();
  private pauseMs = 0;
  /** The shortest way to the source and back that was seen: what an answer takes beyond it, it spent at the source. */
  private wayMs = Number.POSITIVE_INFINITY;
  private atSourceMs: number[] = [];

  constructor(private readonly share: Share) {}

  /** Waits until what a page took fits the share. Throws StoppedError when the work must end. */
  async spend({ keys, bytes = 0, answer }: Spent, stop: StopSignal): Promise<void> {
    const { keysPerSecond, bytesPerSecond } = this.share;
    const now = Date.now();
    const seconds = Math.max(secondsOf(keys, keysPerSecond), secondsOf(bytes, bytesPerSecond));
    this.freeAt = Math.max(this.freeAt, now) + seconds * 1_000;
    if (answer !== undefined) this.learn(answer);
    const wait = Math.max(this.freeAt - now, this.pauseMs);
    if (wait >= 1) await pause(wait, stop);
  }

  private learn({ latencyMs, serverMs }: Answer): void {
    this.wayMs = Math.min(this.wayMs, Math.max(0, latencyMs - serverMs));
    this.atSourceMs.push(latencyMs - this.wayMs);
    if (this.atSourceMs.length < ANSWERS_A_LOOK) return;
    this.pauseMs = nextPause(this.pauseMs, Math.min(...this.atSourceMs), this.share.maxSourceLatencyMs);
    this.atSourceMs = [];
  }
}

/**
 * The pause after each page: doubled when the source took longer than it may, shorter by a third when it did not. All in
 * ms; a limit of 0 is none.
 */
export function nextPause(pauseMs: number, atSourceMs: number, limitMs: number): number {
  if (limitMs === 0) return 0;
  if (atSourceMs > limitMs) return Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pauseMs * 2));
  const shorter = (pauseMs * 2) / 3;
  return shorter < SHORTEST_PAUSE_MS ? 0 : shorter;
}

function secondsOf(amount: number, perSecond: number): number {
  return perSecond > 0 ? amount / perSecond : 0;
}
