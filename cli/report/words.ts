import type { SurveyReport } from '../../src/survey/report-schema';
import { bytes, count, counted, duration } from '../display/words';

const steps: readonly (readonly [seconds: number, word: string])[] = [
  [31_536_000, 'year'],
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
];

function time(seconds: number): string {
  const [unit, word] = steps.find(([step]) => seconds >= step) ?? [1, 'second'];
  return counted(seconds / unit, word);
}

/** The words of an expiry bucket. */
export function expiryWords({ from, to }: Pick<SurveyReport['expiries'][number], 'from' | 'to'>): string {
  if (from === null) return 'never';
  if (to === null) return `more than ${time(from)}`;
  return from === 0 ? `less than ${time(to)}` : `${time(from)} to ${time(to)}`;
}

/** The words of a bucket of sizes. */
export function sizeWords({ from, to }: Pick<SurveyReport['sizes'][number], 'from' | 'to'>): string {
  const size = (value: number) => bytes(value).replace('.0 ', ' ');
  if (to === null) return `from ${size(from)}`;
  return from === 0 ? `below ${size(to)}` : `${size(from)} to ${size(to)}`;
}

/** One line of what a copy would do. */
export interface OutcomeLine {
  readonly label: string;
  readonly keys: number;
  /** Null where it is not known. */
  readonly bytes: number | null;
}

/** What a copy would do, without the lines that say nothing. */
export function outcomeLines({ outcome, notCarriedOver, target }: SurveyReport): OutcomeLine[] {
  const line = (label: string, amount: { readonly keys: number; readonly bytes: number } | null): OutcomeLine => ({
    label,
    ...(amount ?? { keys: 0, bytes: 0 }),
  });
  const always = [line(target === null ? 'can be restored' : 'would be copied', outcome.copied)];
  const others = [
    line('… by ordinary commands, in chunks', outcome.byCommands),
    line('… over a key that the target has', outcome.overwritten),
    line('would be converted', outcome.converted),
    line('would get another name', outcome.renamed),
    line('on the target already', outcome.existing),
    line('skipped, already on the target', outcome.skippedByConflict),
    { label: 'skipped by filter', keys: outcome.skippedByFilter, bytes: null },
    { label: 'expired or deleted while reading', keys: outcome.expired, bytes: null },
    line(
      target === null
        ? 'can NOT be restored: no value that a server writes'
        : 'NOT carried over: type unknown to the target',
      notCarriedOver.unsupportedTypes,
    ),
    line('NOT carried over: no such database there', notCarriedOver.withoutDatabase),
    line('would lose expiries of hash fields', notCarriedOver.losingFieldExpiries),
  ];
  return [...always, ...others.filter(({ keys }) => keys > 0)];
}

/** Sentences about memory and time, and what is no key. */
export function sentences(report: SurveyReport): string[] {
  const { memory, time: estimate, notCarriedOver } = report;
  if (memory === null)
    return ['Nothing was asked of a target: what becomes of the keys on one, tells a dry run with --target.'];
  const lines: string[] = [];
  const needed = memory.needed === null ? 'not known' : `about ${bytes(memory.needed)}`;
  const there =
    memory.free === null || memory.limit === null
      ? `the target has no limit (maxmemory 0) and uses ${memory.used === null ? 'it does not tell how much' : bytes(memory.used)}`
      : `the target has ${bytes(memory.free)} free of ${bytes(memory.limit)}`;
  const fits = memory.fits === null ? '' : memory.fits ? ': it fits' : ': it does NOT fit with a tenth to spare';
  lines.push(`Memory needed: ${needed}; ${there}${fits}.`);
  if (estimate !== null) {
    lines.push(
      estimate.basis === 'commands'
        ? `Time: by ordinary commands about ${duration(estimate.seconds)}, at ${count(estimate.keysPerSecond)} keys/s as a rule; not measured.`
        : `Time: reading alone took ${duration(estimate.seconds)} of this dry run (${count(estimate.keysPerSecond)} keys/s, ${bytes(estimate.bytesPerSecond ?? 0)}/s). A copy writes at the same time and takes about as long where the target keeps up.`,
    );
  }
  if (notCarriedOver.payloadTooNew) {
    lines.push("The target does not read the source's DUMP payloads: every key goes by ordinary commands.");
  }
  if (notCarriedOver.functions > 0) {
    lines.push(`Not carried over: ${counted(notCarriedOver.functions, 'function library', 'function libraries')}.`);
  }
  return lines;
}
