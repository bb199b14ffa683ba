import type { MigrationReport } from '../../src/migration/report';
import type { LiveReport } from '../../src/migration/live';
import { safeText } from '../../src/basics/safe-text';
import { phaseWords } from '../../src/basics/phase-words';
import { bytes, count, counted, duration } from './words';

/** How far something is: 0 to 100, and a few words each. */
export interface Progress {
  readonly percent: number;
  readonly words: readonly string[];
}

/** Shows how far something is, on a terminal or as lines. */
export interface ProgressView {
  show(progress: Progress): void;
  /** Takes away what can be taken away, so that a line can be written; `show` draws again. */
  clear(): void;
}

/** A migration's progress in words. They begin with what the percentage is of: with each phase it begins anew. */
export function progressOf({ state, progress, tally, live }: MigrationReport): Progress {
  const { phase, percent, keysPerSecond, etaSeconds, reading } = progress;
  const left = etaSeconds === null ? [] : [`${duration(Math.max(1, Math.round(etaSeconds))).replace('.0', '')} left`];
  if (reading !== undefined) {
    const rate = reading.bytesPerSecond === undefined ? [] : [`${bytes(reading.bytesPerSecond)}/s`];
    const words = [`${phaseWords('read')}: ${bytes(reading.bytes)} of ${bytes(reading.of)}`, ...rate, ...left];
    return { percent, words };
  }
  if (live !== undefined && live.phase !== 'copy' && live.phase !== 'look') return { percent, words: liveWords(live) };
  if (state === 'verifying' && phase !== undefined && phase !== 'look') return { percent, words: [phaseWords(phase)] };
  if (state === 'verifying') {
    const keys = tally.sourceKeys === null ? 'all keys' : `${count(tally.sourceKeys)} keys`;
    return { percent, words: [`looking up ${keys} on the target`] };
  }
  return {
    percent,
    words: [
      `${phase === undefined ? '' : `${phaseWords(phase)}: `}${count(tally.accountedKeys)} ${tally.sourceKeys === null ? '' : `of ${count(tally.sourceKeys)} `}keys`,
      `${count(keysPerSecond)} keys/s`,
      ...left,
    ],
  };
}

/** Clients that are named in one line. */
const WRITERS_TOLD = 3;

const STEPS = {
  quiet: 'stop the writers: waiting until the source stands still',
  drain: 'the source stands still: the rest is applied',
  streams: 'streams with groups are copied again',
  proved: 'proved: all is on the target',
} as const;

/** Of a phase that would be in step: what may have been missed is not repaired. */
const NOT_YET = 'not in step: what may have been missed is looked for';

/** How a source is followed, in words. */
function liveWords({
  phase,
  repaired,
  lagMs,
  waiting,
  written,
  deleted,
  gaps,
  takeovers,
  cutover,
}: LiveReport): string[] {
  const step = cutover === null ? null : STEPS[cutover.step ?? 'quiet'];
  const writers = cutover?.step === 'quiet' ? writersWords(cutover.writers) : '';
  return [
    step ?? (phase === 'live' && !repaired ? NOT_YET : phaseWords(phase)),
    ...(writers === '' ? [] : [writers]),
    `lag ${duration(lagMs / 1_000)}`,
    `${count(waiting)} keys waiting`,
    `${count(written + deleted)} changes applied`,
    ...(gaps === 0 ? [] : [counted(gaps, 'gap')]),
    ...(takeovers === 0 ? [] : [counted(takeovers, 'takeover')]),
  ];
}

type LiveWriters = NonNullable<LiveReport['cutover']>['writers'];

/** Who writes to a source, as far as it tells; empty where nobody is known. */
export function writersWords(writers: LiveWriters): string {
  if (writers === null) return '';
  if (writers.untold) return 'who still writes is not known: its user may not run CLIENT LIST';
  if (writers.writing === 0) return '';
  const told = writers.latest.slice(0, WRITERS_TOLD).map(({ name, address, command }) => {
    const who = name === '' ? address : `${name}, ${address}`;
    return safeText(`${command.toUpperCase()} from ${who}`);
  });
  const more = writers.writing - told.length;
  return `${told.join('; ')}${more > 0 ? ` and ${count(more)} more` : ''}`;
}
