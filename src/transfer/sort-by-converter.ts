import type { Converter } from '../convert/converter';
import type { ConvertSource } from '../convert/file-keys';
import type { Counts } from '../migration/counts';
import type { Claim } from './range-pages';

/** A page's keys, sorted into those that converters have read and those that are copied as they are. */
export interface SortedKeys {
  readonly claims: readonly Claim[];
  readonly plain: readonly Buffer[];
  /** All others. */
  readonly claimed: readonly Buffer[];
  /** What is settled of claimed keys that lead no group. */
  readonly counts: Partial<Counts>;
  /** Bytes that the claims hold in memory. */
  readonly bytes: number;
}

/** Gives each converter the keys that it claims. Throws the server's error, or the connection's. */
export async function sortByConverter(
  source: ConvertSource,
  converters: readonly Converter[],
  keys: readonly Buffer[],
): Promise<SortedKeys> {
  if (converters.length === 0) return { claims: [], plain: keys, claimed: [], counts: {}, bytes: 0 };
  const claimed = new Map<Converter, Buffer[]>(converters.map((converter) => [converter, []]));
  const plain: Buffer[] = [];
  for (const key of keys) {
    const converter = converters.find((candidate) => candidate.claims(key));
    const mine = converter === undefined ? undefined : claimed.get(converter);
    (mine ?? plain).push(key);
  }
  const claims: Claim[] = [];
  const kept: Buffer[] = [];
  const counts = { converted: 0, skippedByFilter: 0, skippedByConflict: 0, expired: 0 };
  let bytes = 0;
  for (const [converter, mine] of claimed) {
    if (mine.length === 0) continue;
    const gathered = await converter.gather(source, mine);
    claims.push({ converter, groups: gathered.groups });
    plain.push(...gathered.plain);
    kept.push(...without(mine, gathered.plain));
    counts.converted += gathered.converted;
    counts.skippedByFilter += gathered.skipped;
    counts.skippedByConflict += gathered.conflicts;
    counts.expired += gathered.gone;
    bytes += gathered.bytes;
  }
  return { claims, plain, claimed: kept, counts, bytes };
}

function without(keys: readonly Buffer[], others: readonly Buffer[]): readonly Buffer[] {
  if (others.length === 0) return keys;
  const names = new Set(others.map((key) => key.toString('latin1')));
  return keys.filter((key) => !names.has(key.toString('latin1')));
}
