/** Slots of a Redis cluster. */
export const SLOTS = 16_384;
const OPEN = 0x7b;
const CLOSE = 0x7d;

const table = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/** CRC16 (XMODEM), by which Redis Cluster places keys. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] ?? 0);
  return crc;
}

/** The bytes between the first `{` and the first `}` after it, if there are any: the part that Redis Cluster hashes. */
export function hashTag(key: Buffer): Buffer | undefined {
  const open = key.indexOf(OPEN);
  if (open < 0) return undefined;
  const close = key.indexOf(CLOSE, open + 1);
  return close > open + 1 ? key.subarray(open + 1, close) : undefined;
}

/**
 * The cluster slot of a key, 0 to 16383. Not by the package cluster-key-slot (1.1.2, and 1.1.1 in ioredis): it takes bytes, but is
 * wrong where a `{}` comes before another `}`. For `foo{}{bar}`, of which all is hashed (8363), it says 4015.
 */
export function hashSlot(key: Buffer): number {
  return crc16(hashTag(key) ?? key) % SLOTS;
}

/**
 * A tag that puts any key named `…{tag}…` into the slot of the given key. The key's own tag, or the whole key, where it can stand
 * between braces (right under any hash function); otherwise (empty key, or a `}` in it) a number whose CRC16 gives the slot.
 */
export function tagForSlotOf(key: Buffer): Buffer {
  const own = hashTag(key);
  if (own !== undefined) return own;
  if (key.length > 0 && !key.includes(CLOSE)) return key;
  return numberInSlot(hashSlot(key));
}

const numbersBySlot = new Map<number, Buffer>();
let nextNumber = 0;

/** The first number that falls into the slot; what the search passes by is kept, so all slots together cost one search. */
function numberInSlot(slot: number): Buffer {
  for (;;) {
    const found = numbersBySlot.get(slot);
    if (found !== undefined) return found;
    const text = Buffer.from(String(nextNumber++));
    const itsSlot = crc16(text) % SLOTS;
    if (!numbersBySlot.has(itsSlot)) numbersBySlot.set(itsSlot, text);
  }
}
