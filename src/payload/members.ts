import { createHash } from 'node:crypto';
import { bad } from './byte-reader';
import type { Element } from './element';

const SMALLEST = 64;
/** What is kept for the next value. */
const LARGEST_KEPT = 1 << 16;
/** Of longer members a digest is kept. */
const LONG = 64;
const FNV_PRIME = 0x01000193;

/**
 * The members of a set or sorted set, or the fields of a hash: none may come twice. (Redis up to 6.0 ends, or goes on with
 * a corrupt value, when one does.)
 */
export class Members {
  count = 0;
  /** Members by their hash: the number of each, counted from `since` on, so that it need not be cleared. */
  private slots = new Int32Array(SMALLEST);
  private since = 0;
  private hashes = new Int32Array(SMALLEST);
  /** Where each one's bytes end. */
  private ends = new Int32Array(SMALLEST);
  private texts = Buffer.allocUnsafe(1_024);

  /** Forgets all. */
  clear(): this {
    this.since += this.count;
    this.count = 0;
    if (this.slots.length > LARGEST_KEPT || this.since > 2 ** 30) {
      this.slots = new Int32Array(SMALLEST);
      this.hashes = new Int32Array(SMALLEST);
      this.ends = new Int32Array(SMALLEST);
      this.texts = Buffer.allocUnsafe(1_024);
      this.since = 0;
    }
    return this;
  }

  /** Takes one in; a number becomes its text. @throws BadPayloadError where it is there already */
  add(element: Element): void {
    element.toText();
    let { bytes, start, end } = element;
    if (end - start > LONG) {
      bytes = createHash('sha256').update(bytes.subarray(start, end)).digest();
      [start, end] = [0, bytes.length];
    }
    let hash = end - start;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), FNV_PRIME);
    hash ^= hash >>> 15;
    if (2 * this.count >= this.slots.length) this.grow();
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    for (; ; slot = (slot + 1) & mask) {
      const number = (this.slots[slot] ?? 0) - this.since;
      if (number <= 0) break;
      if (this.hashes[number - 1] === hash && this.isSame(number - 1, bytes, start, end)) bad('a member comes twice');
    }
    this.slots[slot] = this.since + this.count + 1;
    this.keep(hash, bytes, start, end);
  }

  private keep(hash: number, bytes: Buffer, start: number, end: number): void {
    const from = this.endOf(this.count - 1);
    const to = from + end - start;
    if (to > this.texts.length) {
      const larger = Buffer.allocUnsafe(2 * to);
      this.texts.copy(larger, 0, 0, from);
      this.texts = larger;
    }
    const { texts } = this;
    for (let i = 0; i < end - start; i++) texts[from + i] = bytes[start + i] ?? 0;
    this.hashes[this.count] = hash;
    this.ends[this.count] = to;
    this.count++;
  }

  private isSame(place: number, bytes: Buffer, start: number, end: number): boolean {
    const from = this.endOf(place - 1);
    if (this.endOf(place) - from !== end - start) return false;
    const { texts } = this;
    for (let i = 0; i < end - start; i++) if (texts[from + i] !== bytes[start + i]) return false;
    return true;
  }

  private endOf(place: number): number {
    return place < 0 ? 0 : (this.ends[place] ?? 0);
  }

  private grow(): void {
    const size = 2 * this.slots.length;
    const slots = new Int32Array(size);
    const mask = size - 1;
    for (let place = 0; place < this.count; place++) {
      let slot = (this.hashes[place] ?? 0) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = place + 1;
    }
    this.slots = slots;
    this.since = 0;
    this.hashes = enlarged(this.hashes, size);
    this.ends = enlarged(this.ends, size);
  }
}

function enlarged(from: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(size);
  larger.set(from);
  return larger;
}
