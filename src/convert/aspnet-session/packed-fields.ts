import { Fields } from './fields';

/**
 * Finds fields and values that a script packed into one string: a MessagePack array of strings. One reply of many short
 * strings costs both sides several times as much.
 * @throws Error when it is something else
 */
export function unpackFields(packed: Buffer): Fields {
  const first = packed[0] ?? 0;
  const sizeBytes = first === 0xdc ? 2 : first === 0xdd ? 4 : 0;
  if (sizeBytes === 0 && first >> 4 !== SHORT_ARRAY) throw unexpected();
  if (packed.length < 1 + sizeBytes) throw unexpected();
  const strings = sizeBytes === 0 ? first & 0x0f : packed.readUIntBE(1, sizeBytes);
  if (strings % 2 !== 0 || strings > packed.length) throw unexpected();
  const places = new Array<number>(2 * strings).fill(0);
  let at = 1 + sizeBytes;
  for (let i = 0; i < strings; i++) {
    const tag = packed[at++] ?? 0;
    let length: number;
    if (tag >> 5 === SHORT_STRING) length = tag & 0x1f;
    else {
      const bytes = lengthBytes(tag);
      if (at + bytes > packed.length) throw unexpected();
      length = packed.readUIntBE(at, bytes);
      at += bytes;
    }
    places[2 * i] = at;
    at += length;
    places[2 * i + 1] = at;
    if (at > packed.length) throw unexpected();
  }
  if (at !== packed.length) throw unexpected();
  return new Fields(packed, places);
}

/** Packs fields and values as scripts do, so that `unpackFields` finds them. */
export function packFields(strings: readonly Buffer[]): Buffer {
  const packed = Buffer.allocUnsafe(strings.reduce((sum, { length }) => sum + STRING_HEAD + length, ARRAY_HEAD));
  let at = packed.writeUInt8(0xdd, 0);
  at = packed.writeUInt32BE(strings.length, at);
  for (const text of strings) {
    at = packed.writeUInt8(0xdb, at);
    at = packed.writeUInt32BE(text.length, at);
    at += text.copy(packed, at);
  }
  return packed;
}

const ARRAY_HEAD = 5;
const STRING_HEAD = 5;
const SHORT_STRING = 0b101;
const SHORT_ARRAY = 0b1001;

/** How many bytes of length follow a tag: str and bin of 8, 16 and 32 bits. */
function lengthBytes(tag: number): number {
  if (tag === 0xd9 || tag === 0xc4) return 1;
  if (tag === 0xda || tag === 0xc5) return 2;
  if (tag === 0xdb || tag === 0xc6) return 4;
  throw unexpected();
}

function unexpected(): Error {
  return new Error('The server packed a session in an unexpected form.');
}
