import { z } from 'zod';
import { amount, type DocumentOf } from './document';

export const countsSchema = z.object({
  scanned: amount.describe('Every key that SCAN gave.'),
  repeats: amount.describe('Of those scanned: given before.'),
  copied: amount,
  converted: amount,
  skippedByFilter: amount,
  skippedByConflict: amount,
  expired: amount.describe('Expired or deleted on the way: there is nothing left to copy.'),
  failed: amount,
  same: amount.describe('Compared, and equal on both sides.'),
  different: amount.describe('Compared, there on both sides, and not equal.'),
  /** Rows of earlier versions have none. */
  uncompared: amount
    .default(0)
    .describe('There on both sides, and whether the values are equal could not be found out (finding `not-compared`).'),
  extra: amount.describe('On the target and not on the source.'),
  deleted: amount.describe('Extra keys that were deleted from the target.'),
  missing: amount.describe('Looked up and not on the target.'),
  findings: amount.describe('Findings written, of failed keys and of keys that lost something.'),
  bytes: amount.describe('Payload bytes written to the target.'),
});

/** How the numbers of keys add up. */
export const COUNTS_ADD_UP =
  'scanned - repeats = copied + converted + skippedByFilter + skippedByConflict + expired + failed, and where keys are compared same + different + uncompared + missing besides.';

/** What became of keys; the schema says what each number counts. */
export type Counts = DocumentOf<typeof countsSchema>;

const names = Object.keys(countsSchema.shape) as (keyof Counts)[];

export const noCounts = Object.fromEntries(names.map((name) => [name, 0])) as unknown as Counts;

export function addCounts(a: Counts, b: Partial<Counts>): Counts {
  const sum: { -readonly [name in keyof Counts]: number } = { ...a };
  for (const name of names) sum[name] += b[name] ?? 0;
  return sum;
}

/** How many different keys are accounted for. */
export function accountedKeys(counts: Counts): number {
  return counts.scanned - counts.repeats;
}

/** What counts of one range say that cannot be; undefined where there is nothing of the kind. */
export function contradictionIn(counts: Counts): string | undefined {
  const { scanned, repeats, extra, deleted } = counts;
  const seen = scanned - repeats;
  if (seen < 0) return `${scanned} keys scanned and ${repeats} of them repeated`;
  const settled =
    counts.copied +
    counts.converted +
    counts.skippedByFilter +
    counts.skippedByConflict +
    counts.expired +
    counts.failed +
    counts.same +
    counts.different +
    counts.uncompared +
    counts.missing;
  if (settled > seen) return `${settled} keys settled of ${seen} seen`;
  if (extra > seen) return `${extra} extra keys of ${seen} seen`;
  return deleted > extra ? `${deleted} keys deleted of ${extra} extra ones` : undefined;
}
