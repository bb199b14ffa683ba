import type { Counts } from '../migration/counts';
import type { SideName } from '../migration/phases';
import type { MigrationState } from '../migration/rows';
import type { Shards } from '../migration/shards';

/** How work on a range's message ended. `idle`: there was nothing to do, as for messages that come late or twice. */
export type RangeEnd = 'done' | 'handedOn' | 'cancelled' | 'lost' | 'restarted' | 'failed' | 'idle';

export type Severity = 'info' | 'warn' | 'error';

/** Which range a message is about. */
export interface RangeOfWork {
  readonly migration: string;
  /** The range row's name. */
  readonly range: string;
  /** W3C trace context of the POST that began the migration, where it was traced. */
  readonly traceparent?: string | undefined;
}

/** What the tally found, for gauges. */
export interface ProgressSeen {
  readonly migration: string;
  readonly state: MigrationState;
  /** Its name. */
  readonly phase: string;
  readonly percent: number;
  readonly keysPerSecond: number;
  readonly ranges: { readonly total: number; readonly done: number; readonly active: number; readonly failed: number };
  readonly findings: number;
  /** For how long nothing was done. */
  readonly stalledSeconds: number;
  /** Of a source that is followed: how old the oldest change is that is not on the target, ms, and how many there are. */
  readonly live?: { readonly lagMs: number; readonly waiting: number; readonly gaps: number } | undefined;
  /** The masters of sides that are clusters. */
  readonly shards?: Shards | undefined;
  /** This visit gave the verdict. */
  readonly ended: boolean;
}

/**
 * What is told to whoever watches the app. Never key names, values, hosts or secrets: only ids, words of a fixed set and
 * numbers. Each call stands for a page, a range or more, never for one key, and none of them throws.
 */
export interface Telemetry {
  /** False: nothing is recorded, and callers may leave out work that is only for recording. */
  readonly on: boolean;
  /** W3C trace context of what runs now, to be carried in messages; undefined when nothing is traced. */
  traceparent(): string | undefined;
  /** Runs the start of a migration in a span, below the caller's one where the request brought a traceparent. */
  inStart<T>(traceparent: string | undefined, work: () => Promise<T>): Promise<T>;
  /** Runs the work on one message in a span that is linked to the migration's start, and records how long it took. */
  inRange(range: RangeOfWork, work: () => Promise<RangeEnd>): Promise<void>;
  /** Keys and bytes that a page has brought. */
  page(migration: string, counts: Partial<Counts>): void;
  /**
   * One call for a page's worth of keys.
   * @param seconds from asking to the whole answer
   * @param serverSeconds that the server says it worked; undefined where it does not say
   */
  call(side: SideName, migration: string, seconds: number, serverSeconds?: number): void;
  progress(seen: ProgressSeen): void;
  /** A line for people with the ids it is about. `message` is a constant text. */
  log(severity: Severity, message: string, attributes: Readonly<Record<string, string | number>>): void;
  /** Sends what is not sent yet, and ends. */
  shutdown(): Promise<void>;
}

/** Records nothing. */
export const noTelemetry: Telemetry = {
  on: false,
  traceparent: () => undefined,
  inStart: (_traceparent, work) => work(),
  inRange: async (_range, work) => {
    await work();
  },
  page: () => undefined,
  call: () => undefined,
  progress: () => undefined,
  log: () => undefined,
  shutdown: () => Promise.resolve(),
};
