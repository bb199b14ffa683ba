import { innerPlaceOf, INNER_END } from '../keyspace/slot-walk';
import { LARGEST_COUNT } from '../keyspace/page-size';
import { SLOTS } from '../keyspace/hash-slot';
import type { Cluster } from '../redis/cluster';
import { RedisError } from '../redis/errors';
import type { Argument, Reply } from '../redis/redis-port';
import type { Script } from '../redis/scripts';
import { scripts } from '../redis/scripts';
import { list, text } from './page-reader';

/** Of a slot that only can be named as a whole, or by a walk over all keys of its node, so many are named at once: 2 to 30 ms of the server. */
const MOST_NAMED_AT_ONCE = 50_000;

/** To name a key takes a server so much less time than to read it. */
const NAMES_A_KEY = 8;

/** Runs a script on the node that owns a slot. */
export type RunOnOwner = (script: Script, slot: number, args: readonly Argument[]) => Promise<Reply>;

/** The names of a slot with very many keys, each once, by their places in the slot. */
export class LargeSlot {
  private constructor(
    readonly slot: number,
    private readonly names: readonly Buffer[],
    private readonly places: Float64Array,
  ) {}

  /** Names that were collected, in any order, some of them twice. */
  static of(slot: number, collected: readonly Buffer[]): LargeSlot {
    const places = Float64Array.from(collected, innerPlaceOf);
    const order = Uint32Array.from(collected, (_, i) => i);
    const place = (i: number) => places[order[i] ?? 0] ?? 0;
    order.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
    const names: Buffer[] = [];
    const kept: number[] = [];
    for (let i = 0; i < order.length; i++) {
      const name = collected[order[i] ?? 0];
      if (name === undefined) continue;
      let isThere = false;
      for (let j = names.length - 1; j >= 0 && kept[j] === place(i); j--) isThere ||= names[j]?.equals(name) === true;
      if (isThere) continue;
      names.push(name);
      kept.push(place(i));
    }
    return new LargeSlot(slot, names, Float64Array.from(kept));
  }

  /** About `count` names from a place on, all of any place that is among them; and the next place, or that behind the slot. */
  from(inner: number, count: number): { readonly names: readonly Buffer[]; readonly next: number } {
    let first = 0;
    for (let end = this.places.length; first < end;) {
      const middle = (first + end) >>> 1;
      if ((this.places[middle] ?? 0) < inner) first = middle + 1;
      else end = middle;
    }
    let end = Math.min(this.places.length, first + Math.max(1, count));
    while (end < this.places.length && this.places[end] === this.places[end - 1]) end++;
    return { names: this.names.slice(first, end), next: this.places[end] ?? INNER_END };
  }
}

/**
 * Collects the names of a slot in calls that each take the server a short time: by SCAN inside the slot, where the node's cursors go by
 * slots (Redis 8, Valkey); otherwise in one call, where there are few enough; otherwise by SCAN over all keys of the node.
 * All calls go to one process, which must own the slot all the time, by the same claim, with no move going on.
 * @param count keys that a page with values has
 * @throws RedisError, also `tryAgain` where the slot went to another node meanwhile
 */
export async function collectNames(
  cluster: Pick<Cluster, 'name' | 'ownerOf' | 'lane'>,
  slot: number,
  count: number,
  run: RunOnOwner,
): Promise<Buffer[]> {
  const size = Math.min(LARGEST_COUNT, NAMES_A_KEY * count);
  const process = await ownerProcess(cluster, slot);
  let claim: string | undefined;
  const scan = async (cursor: bigint, most: number) => {
    const reply = list(await run(scripts.slotScan, slot, [String(slot), String(cursor), String(most)]));
    const [, next, reason, epoch, keys, names] = reply;
    throwIfNotThere(cluster.name, text(reason));
    claim ??= text(epoch);
    if (claim !== text(epoch) || process !== (await ownerProcess(cluster, slot))) {
      throw new RedisError('tryAgain', cluster.name);
    }
    return { next: BigInt(text(next)), keys: Number(keys), names: list(names) as Buffer[] };
  };
  const first = await scan(BigInt(slot), 1);
  if (isIn(slot, first.next)) {
    const names = first.names;
    let [{ next }, last] = [first, first];
    while (isIn(slot, next)) {
      last = await scan(next, size);
      for (const name of last.names) names.push(name);
      ({ next } = last);
    }
    // A cursor that only looked like one of the slot has passed over most of it.
    if (names.length >= Math.min(first.keys, last.keys)) return names;
  }
  if (first.keys <= MOST_NAMED_AT_ONCE) {
    const [, next, reason, names] = list(
      await run(scripts.slotNames, slot, [String(slot), String(slot), '1', String(2 * MOST_NAMED_AT_ONCE), '0']),
    );
    throwIfNotThere(cluster.name, text(reason));
    if (Number(next) > slot) return list(names) as Buffer[];
  }
  const names: Buffer[] = [];
  for (let cursor = 0n; ;) {
    const { next, names: more } = await scan(cursor, size);
    for (const name of more) names.push(name);
    if (next === 0n) return names;
    cursor = next;
  }
}

/** Cursors of servers with a table for each slot have the slot in their low bits. */
function isIn(slot: number, cursor: bigint): boolean {
  return cursor !== 0n && Number(cursor % BigInt(SLOTS)) === slot;
}

async function ownerProcess(cluster: Pick<Cluster, 'ownerOf' | 'lane'>, slot: number): Promise<string | undefined> {
  return (await cluster.lane(cluster.ownerOf(slot))).runId;
}

/** @throws RedisError for what a script says of a slot that cannot be read there at this moment */
export function throwIfNotThere(name: string, reason: string): void {
  if (reason === 'down') throw new RedisError('clusterDown', name);
  if (reason === 'moving') throw new RedisError('tryAgain', name);
  if (reason === 'elsewhere') throw new RedisError('moved', name);
}
