import { innerPlaceOf, INNER_END } from '../keyspace/slot-walk';
import { LARGEST_COUNT } from '../keyspace/page-size';
import { SLOTS } from '../keyspace/hash-slot';
import type { StopSignal } from '../migration/stop';
import type { Cluster } from '../redis/cluster';
import { RedisError } from '../redis/errors';
import type { Argument, Reply } from '../redis/redis-port';
import type { Script } from '../redis/scripts';
import { scripts } from '../redis/scripts';
import { list, text } from './page-reader';

/** Of a slot that only can be named as a whole, or by a walk over all keys of its node, so many are named at once: 2 to 30 ms of the server. */
const MOST_NAMED_AT_ONCE = 50_000;

/** Runs a script on the node that owns a slot. */
export type RunOnOwner = (script: Script, slot: number, args: readonly Argument[]) => Promise<Reply>;

/** What may be held of a slot's names at a time. Where it is more, the half with the higher places is left to a later time. */
export interface WindowBounds {
  readonly names: number;
  readonly bytes: number;
}

export const WINDOW: WindowBounds = { names: 200_000, bytes: 64 * 1_024 * 1_024 };
/** A place for each name, and a buffer, besides its own bytes. */
const BYTES_A_NAME = 200;

/** What such a window takes of memory. */
export function bytesOfWindow({ names, bytes }: WindowBounds): number {
  return BYTES_A_NAME * names + bytes;
}

/** A window that takes no more than so many bytes, half of them for the names themselves; the largest where none are given. */
export function windowFor(bytes: number | undefined): WindowBounds {
  if (bytes === undefined || bytes >= bytesOfWindow(WINDOW)) return WINDOW;
  return { names: Math.floor(bytes / 2 / BYTES_A_NAME), bytes: Math.floor(bytes / 2) };
}

/** Names of a slot with very many keys, each once, by their places in the slot: all from one place on until before another one. */
export class LargeSlot {
  constructor(
    readonly slot: number,
    private readonly begin: number,
    private readonly end: number,
    private readonly names: readonly Buffer[],
    private readonly places: Float64Array,
  ) {}

  /** What it takes of memory. */
  get bytes(): number {
    return bytesOfWindow({ names: this.names.length, bytes: this.names.reduce((sum, { length }) => sum + length, 0) });
  }

  /** Whether all names of a place are among these. */
  covers(inner: number): boolean {
    return this.begin <= inner && inner < this.end;
  }

  /** About `count` names from a place on, all of any place that is among them; and the next place, or that behind all of these. */
  from(inner: number, count: number): { readonly names: readonly Buffer[]; readonly next: number } {
    const first = firstOf(this.places, inner);
    let end = Math.min(this.places.length, first + Math.max(1, count));
    while (end < this.places.length && this.places[end] === this.places[end - 1]) end++;
    return { names: this.names.slice(first, end), next: this.places[end] ?? this.end };
  }
}

/** Where in sorted places the first one stands that is not below a place. */
function firstOf(places: Float64Array, place: number): number {
  let first = 0;
  for (let end = places.length; first < end;) {
    const middle = (first + end) >>> 1;
    if ((places[middle] ?? 0) < place) first = middle + 1;
    else end = middle;
  }
  return first;
}

/**
 * Takes the names of a whole slot in any order, some of them twice, and keeps those from a place on, as many as fit: the window that it
 * ends with has every name taken whose place is in it. Which window a name is in goes by its place alone, and windows that begin where
 * the one before has ended leave no place out: so a key that is there all the time is in exactly one of them, whatever comes and goes.
 */
export class WindowOfNames {
  private end = INNER_END;
  private names: Buffer[] = [];
  private places: number[] = [];
  private bytes = 0;
  private mostNames: number;
  private mostBytes: number;

  constructor(
    private readonly slot: number,
    private readonly begin: number,
    private readonly bounds: WindowBounds = WINDOW,
  ) {
    ({ names: this.mostNames, bytes: this.mostBytes } = bounds);
  }

  add(names: readonly Buffer[]): void {
    for (const name of names) {
      const place = innerPlaceOf(name);
      if (place < this.begin || place >= this.end) continue;
      // The reply that it is a part of is not to be kept for its sake.
      this.keep(Buffer.from(name), place);
      if (this.isFull) this.cut();
    }
  }

  private keep(name: Buffer, place: number): void {
    this.names.push(name);
    this.places.push(place);
    this.bytes += name.length;
  }

  private get isFull(): boolean {
    return this.names.length > this.mostNames || this.bytes > this.mostBytes;
  }

  private cut(): void {
    const sorted = new Float64Array(this.places).sort();
    const [lowest = 0, middle = 0] = [sorted[0], sorted[sorted.length >>> 1]];
    // All names of one place stay together, and there is always one: the next window begins behind this one.
    this.end = middle > lowest ? middle : middle + 1;
    const { names, places } = this;
    [this.names, this.places, this.bytes] = [[], [], 0];
    for (const [i, place] of places.entries()) {
      const name = names[i];
      if (name !== undefined && place < this.end) this.keep(name, place);
    }
    // Where that has not made room, it is not tried again with every name.
    this.mostNames = Math.max(this.bounds.names, 2 * this.names.length);
    this.mostBytes = Math.max(this.bounds.bytes, 2 * this.bytes);
  }

  /** The window, of the names taken so far. */
  whole(): LargeSlot {
    const sorted = new Float64Array(this.places).sort();
    const order = new Uint32Array(sorted.length);
    const met = new Uint32Array(sorted.length);
    for (const [i, place] of this.places.entries()) {
      const first = firstOf(sorted, place);
      const nth = met[first] ?? 0;
      order[first + nth] = i;
      met[first] = nth + 1;
    }
    const names: Buffer[] = [];
    const kept: number[] = [];
    for (const [rank, i] of order.entries()) {
      const [name, place] = [this.names[i] ?? Buffer.alloc(0), sorted[rank] ?? 0];
      let isThere = false;
      for (let j = names.length - 1; j >= 0 && kept[j] === place; j--) isThere ||= names[j]?.equals(name) === true;
      if (isThere) continue;
      names.push(name);
      kept.push(place);
    }
    return new LargeSlot(this.slot, this.begin, this.end, names, new Float64Array(kept));
  }
}

export interface CollectOptions {
  /** Looked at between two calls. */
  readonly stop?: StopSignal | undefined;
  readonly bounds?: WindowBounds | undefined;
}

/**
 * Collects names of a slot, as many as a window holds, in calls that each take the server a short time: by SCAN inside the slot, where the node's cursors go by
 * slots (Redis 8, Valkey); otherwise in one call, where there are few enough; otherwise by SCAN over all keys of the node.
 * All calls go to one process, which must own the slot all the time, by the same claim, with no move going on.
 * @param begin the place in the slot that the window of its names begins at
 * @throws RedisError, also `tryAgain` where the slot went to another node meanwhile; StoppedError
 */
export async function collectNames(
  cluster: Pick<Cluster, 'name' | 'ownerOf' | 'lane'>,
  slot: number,
  begin: number,
  run: RunOnOwner,
  { stop, bounds }: CollectOptions,
): Promise<LargeSlot> {
  const process = await ownerProcess(cluster, slot);
  let claim: string | undefined;
  const scan = async (cursor: bigint, most = LARGEST_COUNT) => {
    stop?.check();
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
  if (first.keys > LARGEST_COUNT && isIn(slot, first.next)) {
    const window = new WindowOfNames(slot, begin, bounds);
    window.add(first.names);
    let [{ next }, last, seen] = [first, first, first.names.length];
    while (isIn(slot, next)) {
      last = await scan(next);
      window.add(last.names);
      seen += last.names.length;
      ({ next } = last);
    }
    // Servers with one table for all slots have cursors that look alike, and then it was a 16,384th of the keys: of so many keys it is
    // far from half, also where some came twice, or are gone.
    if (seen >= Math.max(first.keys, last.keys) / 2) return window.whole();
  }
  if (first.keys <= MOST_NAMED_AT_ONCE) {
    stop?.check();
    const { bytes } = bounds ?? WINDOW;
    const args = [slot, slot, 1, 2 * MOST_NAMED_AT_ONCE, 0, bytes].map(String);
    const [, next, reason, names] = list(await run(scripts.slotNames, slot, args));
    throwIfNotThere(cluster.name, text(reason));
    // Otherwise they are more by now, or longer than may be held at once.
    if (Number(next) > slot) {
      const window = new WindowOfNames(slot, begin, bounds);
      window.add(list(names) as Buffer[]);
      return window.whole();
    }
  }
  const window = new WindowOfNames(slot, begin, bounds);
  for (let cursor = 0n; ;) {
    const { next, names } = await scan(cursor);
    window.add(names);
    if (next === 0n) return window.whole();
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
