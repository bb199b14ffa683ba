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

/** Where three bytes of such a hash stood last, counted from `base` on, so that it need not be cleared. */
const MOST_HASH_BITS = 14;
const places = new Int32Array(1 << MOST_HASH_BITS);
let base = 1;
/** Of what is short only a part of the table is used, which stays near the processor. */
const FEW_HASH_BITS = 10;
const SHORT = 2_048;

/**
 * Packs the bytes from `start` up to `end` into `out` from `begin` on.
 * @param limit what they may become at most; `out` has room for so many
 * @returns how many they have become; 0 where they would become more than `limit`
 */
export function compress(bytes: Buffer, start: number, end: number, out: Buffer, begin: number, limit: number): number {
  if (base > 2 ** 30) {
    places.fill(0);
    base = 1;
  }
  const shift = base - start;
  base += end - start;
  const hashShift = 32 - (end - start <= SHORT ? FEW_HASH_BITS : MOST_HASH_BITS);
  const lastTo = begin + limit;
  const lastStart = end - 2;
  let from = start;
  let to = begin;
  /** Where the bytes begin that are not written yet. */
  let literals = start;
  while (from < lastStart) {
    const one = bytes[from] ?? 0;
    const two = bytes[from + 1] ?? 0;
    const three = bytes[from + 2] ?? 0;
    const hash = Math.imul((one << 16) | (two << 8) | three, 0x9e3779b1) >>> hashShift;
    const place = (places[hash] ?? 0) - shift;
    places[hash] = from + shift;
    if (
      place < start ||
      from - place > FARTHEST ||
      bytes[place] !== one ||
      bytes[place + 1] !== two ||
      bytes[place + 2] !== three
    ) {
      from++;
      continue;
    }
    const most = Math.min(LONGEST_COPY, end - from);
    let count = 3;
    while (count < most && bytes[place + count] === bytes[from + count]) count++;
    to = writeLiterals(bytes, literals, from, out, to, lastTo - COPY_BYTES);
    if (to === 0) return 0;
    const back = from - place - 1;
    if (count - 2 < 7) out[to++] = ((count - 2) << 5) | (back >> 8);
    else {
      out[to++] = (7 << 5) | (back >> 8);
      out[to++] = count - 2 - 7;
    }
    out[to++] = back & 255;
    from += count;
    literals = from;
    // Of what was copied the end is kept in mind, as liblzf does.
    for (let at = from - 2; at < from && at < lastStart; at++) {
      const kept = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
      places[Math.imul(kept, 0x9e3779b1) >>> hashShift] = at + shift;
    }
  }
  to = writeLiterals(bytes, literals, end, out, to, lastTo);
  return to === 0 ? 0 : to - begin;
}

/** @returns where it ends in `out`; 0 where that would be behind `last` */
function writeLiterals(bytes: Buffer, start: number, end: number, out: Buffer, begin: number, last: number): number {
  let to = begin;
  for (let from = start; from < end;) {
    const count = Math.min(MOST_LITERALS, end - from);
    if (to + 1 + count > last) return 0;
    out[to++] = count - 1;
    for (let i = 0; i < count; i++) out[to + i] = bytes[from + i] ?? 0;
    to += count;
    from += count;
  }
  return to <= last ? to : 0;
}
