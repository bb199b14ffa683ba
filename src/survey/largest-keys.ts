/** One of the largest keys. Names are bytes, kept as latin1: one character a byte. */
export interface LargeKey {
  readonly database: number;
  /** The name's first bytes, at most LONGEST_NAME. */
  readonly name: string;
  readonly nameBytes: number;
  readonly type: string;
  readonly encoding: string;
  readonly bytes: number;
}

export const LARGEST_KEYS = 50;
/** Of longer names only the first bytes are kept. */
export const LONGEST_NAME = 256;

/** The largest of both, each key once, the largest first. Which of equals stay does not depend on their order. */
export function mergeLargest(a: readonly LargeKey[], b: readonly LargeKey[]): readonly LargeKey[] {
  if (b.length === 0) return a;
  const merged = new Map<string, LargeKey>();
  for (const key of [...a, ...b]) {
    const id = `${key.database}/${key.nameBytes}/${key.name}`;
    const known = merged.get(id);
    if (known === undefined || compare(key, known) < 0) merged.set(id, key);
  }
  return [...merged.values()].sort(compare).slice(0, LARGEST_KEYS);
}

/** Whether a key of this size may be among the largest. */
export function mayBeLargest(largest: readonly LargeKey[], bytes: number): boolean {
  return largest.length < LARGEST_KEYS || bytes >= (largest.at(-1)?.bytes ?? 0);
}

function compare(a: LargeKey, b: LargeKey): number {
  if (a.bytes !== b.bytes) return b.bytes - a.bytes;
  if (a.database !== b.database) return a.database - b.database;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
