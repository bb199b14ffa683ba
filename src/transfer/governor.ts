import { pause, type StopSignal } from './stop';

/** What one range may take; 0: no limit. */
export interface Share {
  readonly keysPerSecond: number;
  /** Of payloads. */
  readonly bytesPerSecond: number;
  /** How long the source may take to answer, ms. */
  readonly maxSourceLatencyMs: number;
}

/** What a page took. */
export interface Spent {
  readonly keys: number;
  readonly bytes?: number;
  /** The longest time that the source took to answer a call of this page, waiting in its queue included; ms. */
  readonly sourceMs?: number;
}

/** A pause never gets longer: a source that is slow for other reasons must not stop the migration. */
const LONGEST_PAUSE_MS = 1_000;
const FIRST_PAUSE_MS = 2;
const LESS_PAUSE_MS = 0.5;

/**
 * Keeps a range within its share. Each range looks only at what it sees itself, so that no instance waits for another:
 * rates are spread over time (what was not used is not saved up), and pauses grow and shrink with the source's answers.
 */
export class Governor {
  private freeAt = Date.now();
  private pauseMs = 0;

  constructor(private readonly share: Share) {}

  /** Waits until what a page took fits the share. Throws StoppedError when the work must end. */
  async spend({ keys, bytes = 0, sourceMs = 0 }: Spent, stop: StopSignal): Promise<void> {
    const { keysPerSecond, bytesPerSecond, maxSourceLatencyMs } = this.share;
    const now = Date.now();
    const seconds = Math.max(secondsOf(keys, keysPerSecond), secondsOf(bytes, bytesPerSecond));
    this.freeAt = Math.max(this.freeAt, now) + seconds * 1_000;
    this.pauseMs = nextPause(this.pauseMs, sourceMs, maxSourceLatencyMs);
    const wait = Math.max(this.freeAt - now, this.pauseMs);
    if (wait >= 1) await pause(wait, stop);
  }
}

/**
 * The pause after a page, by additive increase and multiplicative decrease of the work: doubled when the source took
 * longer than it may, a little less when it did not. All in ms; a limit of 0 is none.
 */
export function nextPause(pauseMs: number, latencyMs: number, limitMs: number): number {
  if (limitMs === 0) return 0;
  if (latencyMs <= limitMs) return Math.max(0, pauseMs - LESS_PAUSE_MS);
  return Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pauseMs * 2));
}

function secondsOf(amount: number, perSecond: number): number {
  return perSecond > 0 ? amount / perSecond : 0;
}
