/** How many bytes `value` (0 … 2147483647) takes as a 7-bit encoded int (BinaryWriter.Write7BitEncodedInt). */
export function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

/** Writes `value` (0 … 2147483647) at `offset` as a 7-bit encoded int; returns the offset behind it. */
export function writeVarint(target: Buffer, value: number, offset: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** `text` (UTF-8 bytes) with its length before it, as BinaryWriter.Write(string) lays it out. */
export function lengthPrefixed(text: Buffer): Buffer {
  const prefix = varintSize(text.length);
  const out = Buffer.allocUnsafe(prefix + text.length);
  text.copy(out, writeVarint(out, text.length, 0));
  return out;
}
