/**
 * Reads fields and values that a script packed into one string: a MessagePack array of strings. One reply of many short
 * strings costs both sides several times as much. The fields are views of the string.
 */
export function unpackFields(packed: Buffer): (readonly [Buffer, Buffer])[] {
  let at = 1;
  const size = (bytes: number): number => {
    at += bytes;
    return packed.readUIntBE(at - bytes, bytes);
  };
  const string = (): Buffer => {
    const tag = packed[at++] ?? 0;
    const known = STRINGS.get(tag);
    if (known === undefined && tag >> 5 !== SHORT_STRING) throw unexpected();
    const length = known === undefined ? tag & 0x1f : size(known);
    if (at + length > packed.length) throw unexpected();
    at += length;
    return packed.subarray(at - length, at);
  };
  const tag = packed[0] ?? 0;
  const known = ARRAYS.get(tag);
  if (known === undefined && tag >> 4 !== SHORT_ARRAY) throw unexpected();
  const count = known === undefined ? tag & 0x0f : size(known);
  const fields: (readonly [Buffer, Buffer])[] = [];
  for (let i = 0; i + 1 < count; i += 2) fields.push([string(), string()]);
  if (at !== packed.length) throw unexpected();
  return fields;
}

/** Tags that a length of so many bytes follows; others have the length in them. */
const STRINGS: ReadonlyMap<number, number> = new Map([
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
]);
const ARRAYS: ReadonlyMap<number, number> = new Map([
  [0xdc, 2],
  [0xdd, 4],
]);
const SHORT_STRING = 0b101;
const SHORT_ARRAY = 0b1001;

function unexpected(): Error {
  return new Error('The server packed a session in an unexpected form.');
}
