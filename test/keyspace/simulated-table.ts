/**
 * A hash table as Redis has it (redis/src/dict.c): buckets of a power of two, a second table while it is being resized,
 * and SCAN over both. Written from the C code and independent of the code under test.
 */
export class SimulatedTable {
  private readonly hashes = new Map<string, bigint>();
  /** Buckets of the table in use and, while it is being resized, of the next one: keys below `moved` are there. */
  private bits: number;
  private nextBits: number | undefined;
  private moved = 0;

  constructor(bits: number) {
    this.bits = bits;
  }

  add(key: string, hash: bigint): void {
    this.hashes.set(key, hash);
  }

  delete(key: string): void {
    this.hashes.delete(key);
  }

  keys(): string[] {
    return [...this.hashes.keys()];
  }

  /** Begins to resize; what was under way is finished first. */
  resize(bits: number): void {
    this.rehash(Infinity);
    if (bits === this.bits) return;
    this.nextBits = bits;
    this.moved = 0;
  }

  /** Moves the next buckets to the new table. */
  rehash(buckets: number): void {
    if (this.nextBits === undefined) return;
    this.moved = Math.min(2 ** this.bits, this.moved + buckets);
    if (this.moved < 2 ** this.bits) return;
    this.bits = this.nextBits;
    this.nextBits = undefined;
  }

  /** SCAN cursor COUNT count. */
  scan(cursor: bigint, count: number): { next: bigint; keys: string[] } {
    const [current, next] = this.buckets();
    const found: string[] = [];
    let v = cursor;
    let iterations = count * 10;
    do {
      v = this.scanOnce(v, found, current, next);
    } while (v !== 0n && iterations-- > 0 && found.length < count);
    return { next: v, keys: found };
  }

  private buckets(): [Map<bigint, string[]>, Map<bigint, string[]> | undefined] {
    const current = new Map<bigint, string[]>();
    const next = this.nextBits === undefined ? undefined : new Map<bigint, string[]>();
    for (const [key, hash] of this.hashes) {
      const bucket = hash & mask(this.bits);
      if (next !== undefined && this.nextBits !== undefined && bucket < BigInt(this.moved)) {
        put(next, hash & mask(this.nextBits), key);
      } else put(current, bucket, key);
    }
    return [current, next];
  }

  private scanOnce(
    cursor: bigint,
    found: string[],
    current: Map<bigint, string[]>,
    next: Map<bigint, string[]> | undefined,
  ): bigint {
    let v = cursor;
    if (next === undefined || this.nextBits === undefined) {
      found.push(...(current.get(v & mask(this.bits)) ?? []));
      return increment(v, mask(this.bits));
    }
    const [smaller, larger] = this.bits < this.nextBits ? [current, next] : [next, current];
    const m0 = mask(Math.min(this.bits, this.nextBits));
    const m1 = mask(Math.max(this.bits, this.nextBits));
    found.push(...(smaller.get(v & m0) ?? []));
    do {
      found.push(...(larger.get(v & m1) ?? []));
      v = increment(v, m1);
    } while ((v & (m0 ^ m1)) !== 0n);
    return v;
  }
}

function mask(bits: number): bigint {
  return (1n << BigInt(bits)) - 1n;
}

function put(buckets: Map<bigint, string[]>, bucket: bigint, key: string): void {
  const keys = buckets.get(bucket);
  if (keys === undefined) buckets.set(bucket, [key]);
  else keys.push(key);
}

/** Adds one to the reversed cursor, with the bits that the table does not have set. */
function increment(cursor: bigint, tableMask: bigint): bigint {
  const unmasked = cursor | BigInt.asUintN(64, ~tableMask);
  return reverse(BigInt.asUintN(64, reverse(unmasked) + 1n));
}

/** All 64 bits in the opposite order, the slow and plain way. */
export function reverse(value: bigint): bigint {
  return BigInt(`0b${value.toString(2).padStart(64, '0').split('').reverse().join('')}`);
}
