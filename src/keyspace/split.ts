/** Below it a range is not worth its messages and rows. Keys. */
const KEYS_PER_RANGE = 8_192;
/** So many ranges keep two instances busy: one takes half of them at once (host.json). More of them pay for those that a longer copy brings. */
const RANGES_OF_INSTANCES = 32;
/**
 * Keys and bytes that one of more ranges should have: some tenths of a second for one of several walkers. Each costs some ten operations
 * of the storage, and an instance as much CPU as 5,000 keys.
 */
const KEYS_PER_FURTHER_RANGE = 32_768;
const BYTES_PER_RANGE = 33_554_432;
/** With fewer keys a range meets many of its neighbours' too. */
const LEAST_KEYS = 2_048;
const MOST_BITS = 14;

/**
 * Into how many ranges (2^bits) a database is split: one for a few thousand small keys, at most 16,384. One where the number of keys
 * is not known: in a small table many ranges meet the same keys.
 * @param bytes what the keys take in memory, about; undefined where that is not known
 */
export function bitsFor(keys: number | undefined, bytes = 0): number {
  if (keys === undefined) return 0;
  const few = Math.min(RANGES_OF_INSTANCES, keys / KEYS_PER_RANGE);
  const wanted = Math.max(few, keys / KEYS_PER_FURTHER_RANGE, bytes / BYTES_PER_RANGE);
  if (wanted <= 1) return 0;
  const most = Math.max(0, Math.floor(Math.log2(keys / LEAST_KEYS)));
  return Math.min(MOST_BITS, most, Math.max(2, Math.ceil(Math.log2(wanted))));
}

/** As many ranges as nodes, or some more: each walks the nodes that have slots of it. */
export function bitsForNodes(nodes: number): number {
  return Math.min(MOST_BITS, Math.ceil(Math.log2(Math.max(1, nodes))));
}
