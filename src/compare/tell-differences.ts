import type { Counts } from '../migration/counts';
import type { KeyFinding } from '../migration/rows';

/** Keys that still differ after the last look are counted and told. */
export function tellDifferences(
  wrong: readonly KeyFinding[],
): Promise<{ readonly counts: Partial<Counts>; readonly findings: readonly KeyFinding[] }> {
  const missing = wrong.filter(({ code }) => code === 'missing').length;
  return Promise.resolve({ counts: { missing, different: wrong.length - missing }, findings: wrong });
}
