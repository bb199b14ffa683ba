/** A command: its name and its arguments. */
export type Command = readonly [string, ...(string | number | Buffer)[]];

/** What a server can do, as far as the odd keys differ by it. */
export interface Abilities {
  /** Major and minor version: 7.4 is 704. */
  readonly version: number;
  /** Fields of hashes can expire by themselves. */
  readonly fieldExpiry: boolean;
}

/** All 256 bytes. */
export const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

/** Repeatable bytes that do not compress. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0, state = seed; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

/** `make(0)`, `make(1)`, … in a list. */
export function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
