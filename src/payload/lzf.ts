import { bad } from './byte-reader';

/*
 * LZF (http://oldhome.schmorp.de/marc/liblzf.html): a control byte below 32 is followed by one byte more than it says, as
 * they are. Any other is a copy of what was written before: its upper 3 bits are the length less 2 (7: a byte with more
 * of it follows), its lower 5 and the next byte the distance less 1.
 */

/** The longest copy takes 3 bytes. What claims to become more than that is not what it says. */
const LONGEST_COPY = 264;
const COPY_BYTES = 3;
const FARTHEST = 1 << 13;
const MOST_LITERALS = 32;

/**
 * Unpacks the bytes from `start` up to `end` into the first `size` of `out`, or without it only looks whether they can be.
 * @throws BadPayloadError where they do not become exactly `size` bytes
 */
export function decompress(bytes: Buffer, start: number, end: number, size: number, out?: Buffer): void {
  // liblzf takes nothing that becomes nothing.
  if (size === 0) bad('compressed bytes become none');
  let from = start;
  let to = 0;
  while (from < end) {
    const control = bytes[from++] ?? 0;
    if (control < MOST_LITERALS) {
      const count = control + 1;
      if (from + count > end || to + count > size) bad('compressed bytes go beyond their end');
      if (out !== undefined) for (let i = 0; i < count; i++) out[to + i] = bytes[from + i] ?? 0;
      from += count;
      to += count;
      continue;
    }
    let count = control >> 5;
    if (count === 7) {
      if (from >= end) bad('compressed bytes end too early');
      count += bytes[from++] ?? 0;
    }
    if (from >= end) bad('compressed bytes end too early');
    count += 2;
    const distance = (((control & 31) << 8) | (bytes[from++] ?? 0)) + 1;
    if (distance > to || to + count > size) bad('compressed bytes go beyond their end');
    if (out !== undefined) for (let i = 0; i < count; i++) out[to + i] = out[to + i - distance] ?? 0;
    to += count;
  }
  if (to !== size) bad('compressed bytes become another length than they say');
}

/** Whether so many bytes can have become of so few. To be asked before room is made for them. */
export function mayUnpackTo(packed: number, size: number): boolean {
  return size <= packed * (LONGEST_COPY / COPY_BYTES);
}

const HASH_BITS = 14;
/** Where three bytes of such a hash stood last, counted from `base` on, so that it need not be cleared. */
const places = new Int32Array(1 << HASH_BITS);
let base = 1;

/**
 * Packs the bytes from `start` up to `end` to the beginning of `out`.
 * @returns how many they have become; 0 where they would become more than `limit`
 */
export function compress(bytes: Buffer, start: number, end: number, out: Buffer, limit: number): number {
  if (base > 2 ** 30) {
    places.fill(0);
    base = 1;
  }
  const shift = base - start;
  base += end - start;
  let from = start;
  let to = 1;
  let literals = 0;
  while (from < end) {
    let count = 0;
    let distance = 0;
    if (from + 2 < end) {
      const hash = hashAt(bytes, from);
      const place = (places[hash] ?? 0) - shift;
      places[hash] = from + shift;
      distance = from - place;
      if (place >= start && distance <= FARTHEST) count = commonLength(bytes, place, from, end);
    }
    if (count < 3) {
      if (to >= limit) return 0;
      out[to++] = bytes[from++] ?? 0;
      if (++literals === MOST_LITERALS) {
        out[to - MOST_LITERALS - 1] = MOST_LITERALS - 1;
        literals = 0;
        to++;
      }
      continue;
    }
    if (literals > 0) out[to - literals - 1] = literals - 1;
    else to--;
    if (to + 4 > limit) return 0;
    const [length, back] = [count - 2, distance - 1];
    if (length < 7) out[to++] = (length << 5) | (back >> 8);
    else {
      out[to++] = (7 << 5) | (back >> 8);
      out[to++] = length - 7;
    }
    out[to++] = back & 255;
    to++;
    literals = 0;
    const next = from + count;
    // Of what was copied the end is kept in mind, as liblzf does.
    for (from = Math.max(from + 1, next - 2); from < next; from++) {
      if (from + 2 < end) places[hashAt(bytes, from)] = from + shift;
    }
  }
  if (literals > 0) out[to - literals - 1] = literals - 1;
  else to--;
  return to <= limit ? to : 0;
}

function hashAt(bytes: Buffer, at: number): number {
  const three = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
  return Math.imul(three, 0x9e3779b1) >>> (32 - HASH_BITS);
}

/** How many bytes are the same at both places, as many as one copy can hold. */
function commonLength(bytes: Buffer, one: number, other: number, end: number): number {
  const most = Math.min(LONGEST_COPY, end - other);
  let count = 0;
  while (count < most && bytes[one + count] === bytes[other + count]) count++;
  return count;
}
