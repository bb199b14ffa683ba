/**
 * What became of keys. `scanned` counts every key that SCAN gave, `repeats` those of them that were given before;
 * scanned - repeats = copied + converted + skippedByFilter + skippedByConflict + expired + failed, and where keys are compared
 * same + different + missing besides.
 */
export interface Counts {
  readonly scanned: number;
  readonly repeats: number;
  readonly copied: number;
  readonly converted: number;
  readonly skippedByFilter: number;
  readonly skippedByConflict: number;
  /** Expired or deleted on the way: there is nothing left to copy. */
  readonly expired: number;
  readonly failed: number;
  /** Compared, and equal on both sides. */
  readonly same: number;
  /** Compared, there on both sides, and not equal. */
  readonly different: number;
  /** On the target and not on the source. */
  readonly extra: number;
  /** Extra keys that were deleted from the target. */
  readonly deleted: number;
  /** Looked up and not on the target. */
  readonly missing: number;
  /** Findings written, of failed keys and of keys that lost something. */
  readonly findings: number;
  /** Payload bytes written to the target. */
  readonly bytes: number;
}

export const noCounts: Counts = {
  scanned: 0,
  repeats: 0,
  copied: 0,
  converted: 0,
  skippedByFilter: 0,
  skippedByConflict: 0,
  expired: 0,
  failed: 0,
  same: 0,
  different: 0,
  extra: 0,
  deleted: 0,
  missing: 0,
  findings: 0,
  bytes: 0,
};

const names = Object.keys(noCounts) as (keyof Counts)[];

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
    counts.missing;
  if (settled > seen) return `${settled} keys settled of ${seen} seen`;
  if (extra > seen) return `${extra} extra keys of ${seen} seen`;
  return deleted > extra ? `${deleted} keys deleted of ${extra} extra ones` : undefined;
}
