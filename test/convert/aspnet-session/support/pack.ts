export type Pair = readonly [name: Buffer, value: Buffer];

/** Fields with their values as cmsgpack.pack writes them in a script: one array of strings, each in its shortest form. */
export function pack(pairs: readonly Pair[]): Buffer {
  const strings = pairs.flat();
  return Buffer.concat([
    arrayHead(strings.length),
    ...strings.flatMap((string) => [stringHead(string.length), string]),
  ]);
}

function arrayHead(count: number): Buffer {
  return count < 16 ? Buffer.of(0x90 | count) : count < 65_536 ? head(0xdc, count, 2) : head(0xdd, count, 4);
}

function stringHead(length: number): Buffer {
  if (length < 32) return Buffer.of(0xa0 | length);
  return length < 256 ? head(0xd9, length, 1) : length < 65_536 ? head(0xda, length, 2) : head(0xdb, length, 4);
}

function head(tag: number, count: number, size: number): Buffer {
  const bytes = Buffer.alloc(1 + size);
  bytes[0] = tag;
  bytes.writeUIntBE(count, 1, size);
  return bytes;
}

/**
 * A second reader of MessagePack arrays of strings, written without a look at the first one.
 * @returns undefined for anything else
 */
export function unpack(packed: Buffer): Pair[] | undefined {
  let rest = packed;
  const take = (count: number): Buffer | undefined => {
    if (rest.length < count) return undefined;
    const taken = rest.subarray(0, count);
    rest = rest.subarray(count);
    return taken;
  };
  const number = (size: number): number | undefined => {
    const bytes = take(size);
    return bytes && parseInt(bytes.toString('hex'), 16);
  };
  const tag = take(1)?.[0];
  if (tag === undefined) return undefined;
  const isShort = tag >= 0x90 && tag <= 0x9f;
  const count = isShort ? tag - 0x90 : tag === 0xdc ? number(2) : tag === 0xdd ? number(4) : undefined;
  if (count === undefined || count % 2 === 1) return undefined;
  const strings: Buffer[] = [];
  while (strings.length < count) {
    const kind = take(1)?.[0];
    if (kind === undefined) return undefined;
    const sizes: Readonly<Record<number, number>> = { 0xd9: 1, 0xc4: 1, 0xda: 2, 0xc5: 2, 0xdb: 4, 0xc6: 4 };
    const size = sizes[kind];
    const length = kind >= 0xa0 && kind <= 0xbf ? kind - 0xa0 : size === undefined ? undefined : number(size);
    const string = length === undefined ? undefined : take(length);
    if (string === undefined) return undefined;
    strings.push(string);
  }
  if (rest.length > 0) return undefined;
  return Array.from({ length: count / 2 }, (_, i): Pair => [strings[2 * i]!, strings[2 * i + 1]!]);
}
