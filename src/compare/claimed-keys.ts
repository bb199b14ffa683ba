import type { CompareContext, Converter } from '../convert/converter';
import type { Names } from '../convert/names';
import type { KeyFinding } from '../migration/rows';
import { convertSourceOf, readingPort, type Attempt, type Side } from '../transfer/side';
import { lackingKeys } from './lacking-keys';

/** What is known of keys that converters claim. */
export interface ClaimedLook {
  readonly same: number;
  readonly gone: number;
  /** Of the converter's by name only: to be compared as they are. */
  readonly plain: readonly Buffer[];
  readonly wrong: readonly KeyFinding[];
}

export interface ClaimedContext {
  readonly converters: readonly Converter[];
  readonly names: Names;
  readonly source: Side;
  readonly target: Side;
  readonly onBoth: Attempt;
  readonly expiriesAgree: CompareContext['expiriesAgree'];
}

const MISSING = {
  code: 'missing',
  message: 'The key is on the source, and on the target neither converted nor as it is.',
} as const;

/** Looks at keys that converters claim: as each of them compares, or else only whether the target has them, converted or as they are. */
export async function lookAtClaimed(keys: readonly Buffer[], context: ClaimedContext): Promise<ClaimedLook> {
  const { converters, names, source, target, onBoth, expiriesAgree } = context;
  const sums = { same: 0, gone: 0 };
  const plain: Buffer[] = [];
  const wrong: KeyFinding[] = [];
  const claimed = Map.groupBy(keys, (key) => converters.find((converter) => converter.claims(key)));
  for (const [converter, mine] of claimed) {
    if (converter?.compare === undefined) {
      const { missing, gone } = await lackingKeys(mine, names, { source, target });
      sums.gone += gone;
      sums.same += mine.length - missing.length - gone;
      wrong.push(...missing.map((key) => ({ key, ...MISSING })));
      continue;
    }
    const naming = (key: Buffer) => names.onTarget(key);
    const ports = { source: convertSourceOf(source), target: readingPort(target), naming, expiriesAgree };
    const compared = await onBoth(async () => (await converter.compare?.(mine, ports)) ?? []);
    mine.forEach((key, i) => {
      const result = compared[i] ?? MISSING;
      if (result === 'same') sums.same++;
      else if (result === 'gone') sums.gone++;
      else if (result === 'plain') plain.push(key);
      else wrong.push({ key, ...result });
    });
  }
  return { ...sums, plain, wrong };
}
