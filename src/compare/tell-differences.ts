import type { Counts } from '../migration/counts';
import type { KeyFinding } from '../migration/rows';

/** Keys that still differ, or seem to, after the last look are counted and told. */
export function tellDifferences(
  wrong: readonly KeyFinding[],
): Promise<{ readonly counts: Partial<Counts>; readonly findings: readonly KeyFinding[] }> {
  const counts = { missing: 0, uncompared: 0, different: 0 };
  for (const { code } of wrong) {
    if (code === 'missing') counts.missing++;
    else if (code === 'not-compared') counts.uncompared++;
    else counts.different++;
  }
  return Promise.resolve({ counts, findings: wrong });
}
