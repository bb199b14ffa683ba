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

/** A pause never gets longer, nor longer than so many times its page: a source that is slow for other reasons must not stop the migration. */
const LONGEST_PAUSE_MS = 100;
const LONGEST_PAUSE_PAGES = 100;
/** The first one; timers know no shorter ones. */
const SHORTEST_PAUSE_MS = 1;
/** The quickest of so many answers counts: single slow ones are chance, or this process itself that was late. */
const ANSWERS_A_LOOK = 16;

/**
 * Keeps a range within its share. Each range looks only at what it sees itself, so that no instance waits for another:
 * rates are spread over time (what was not used is not saved up), and pauses grow and shrink with the source's answers.
 */
export class Governor {
  private freeAt = Date.now();
  private pauseMs = 0;
  /** The shortest way to the source and back that was seen: what an answer takes beyond it, it spent at the source. */
  private wayMs = Number.POSITIVE_INFINITY;
  private latest: Pick<SourceTime, 'atSourceMs' | 'workMs'>[] = [];

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
    this.latest.push({ atSourceMs: latencyMs - this.wayMs, workMs: serverMs });
    if (this.latest.length < ANSWERS_A_LOOK) return;
    this.pauseMs = nextPause(this.pauseMs, {
      atSourceMs: Math.min(...this.latest.map(({ atSourceMs }) => atSourceMs)),
      workMs: Math.min(...this.latest.map(({ workMs }) => workMs)),
      limitMs: this.share.maxSourceLatencyMs,
    });
    this.latest = [];
  }
}

/** All in ms; a limit of 0 is none. */
export interface SourceTime {
  /** What a call spent at the source. */
  readonly atSourceMs: number;
  /** What of it was the source's work for the call. */
  readonly workMs: number;
  readonly limitMs: number;
}

/** The pause after each page, ms: doubled when the source took longer than it may, shorter by a third when it did not. */
export function nextPause(pauseMs: number, { atSourceMs, workMs, limitMs }: SourceTime): number {
  if (limitMs === 0) return 0;
  if (atSourceMs > limitMs) {
    const longest = Math.min(LONGEST_PAUSE_MS, workMs * LONGEST_PAUSE_PAGES);
    return Math.max(SHORTEST_PAUSE_MS, Math.min(longest, pauseMs * 2));
  }
  const shorter = (pauseMs * 2) / 3;
  return shorter < SHORTEST_PAUSE_MS ? 0 : shorter;
}

function secondsOf(amount: number, perSecond: number): number {
  return perSecond > 0 ? amount / perSecond : 0;
}
