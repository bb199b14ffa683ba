import { readFileSync } from 'node:fs';

/** The hashes of database 0 of a Redis 4 snapshot (RDB version 8), their fields in the snapshot's order. */
export function readHashes(file: string): Map<string, [name: Buffer, value: Buffer][]> {
  const rdb = new RdbReader(readFileSync(file));
  const hashes = new Map<string, [Buffer, Buffer][]>();
  rdb.skip(9);
  for (let database = 0; ;) {
    const opcode = rdb.u8();
    if (opcode === 0xff) return hashes;
    if (opcode === 0xfe) database = rdb.length();
    else if (opcode === 0xfa) rdb.strings(2);
    else if (opcode === 0xfb) rdb.lengths(2);
    else if (opcode === 0xfc) rdb.skip(8);
    else if (opcode === 0xfd) rdb.skip(4);
    else {
      const key = rdb.string();
      const fields = readValue(rdb, opcode);
      if (fields !== undefined && database === 0) hashes.set(key.toString('latin1'), fields);
    }
  }
}

function readValue(rdb: RdbReader, type: number): [Buffer, Buffer][] | undefined {
  switch (type) {
    case 0: // string
    case 10: // list, ziplist
    case 11: // intset
    case 12: // sorted set, ziplist
      rdb.strings(1);
      return undefined;
    case 1: // list
    case 2: // set
    case 14: // quicklist
      rdb.strings(rdb.length());
      return undefined;
    case 5: // sorted set
      for (let left = rdb.length(); left > 0; left--) {
        rdb.strings(1);
        rdb.skip(8);
      }
      return undefined;
    case 4:
      return pairs(Array.from({ length: rdb.length() * 2 }, () => rdb.string()));
    case 13:
      return pairs(ziplist(rdb.string()));
    default:
      throw new Error(`value type ${type}`);
  }
}

function pairs(parts: readonly Buffer[]): [Buffer, Buffer][] {
  return Array.from({ length: parts.length / 2 }, (_, i) => [parts[i * 2]!, parts[i * 2 + 1]!]);
}

function ziplist(bytes: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  let at = 10;
  while (bytes[at] !== 0xff) {
    at += bytes[at] === 0xfe ? 5 : 1;
    const head = bytes[at]!;
    if (head < 0xc0) {
      const wide = head >> 6;
      const length = wide === 0 ? head : wide === 1 ? bytes.readUInt16BE(at) & 0x3fff : bytes.readUInt32BE(at + 1);
      at += wide === 0 ? 1 : wide === 1 ? 2 : 5;
      entries.push(bytes.subarray(at, (at += length)));
    } else {
      const size = { 0xc0: 2, 0xd0: 4, 0xe0: 8, 0xf0: 3, 0xfe: 1 }[head];
      const value =
        size === undefined
          ? (head & 15) - 1
          : size === 8
            ? bytes.readBigInt64LE(at + 1)
            : bytes.readIntLE(at + 1, size);
      at += 1 + (size ?? 0);
      entries.push(Buffer.from(String(value)));
    }
  }
  return entries;
}

class RdbReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  skip(count: number): void {
    this.at += count;
  }

  u8(): number {
    return this.bytes[this.at++]!;
  }

  length(): number {
    const first = this.u8();
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 0x3f) << 8) | this.u8();
    this.at += 4;
    return this.bytes.readUInt32BE(this.at - 4);
  }

  lengths(count: number): void {
    for (let i = 0; i < count; i++) this.length();
  }

  strings(count: number): void {
    for (let i = 0; i < count; i++) this.string();
  }

  string(): Buffer {
    const first = this.bytes[this.at]!;
    if (first >= 0xc0) {
      this.at++;
      if (first === 0xc3) return this.compressed();
      const size = 1 << (first & 3);
      this.at += size;
      return Buffer.from(String(this.bytes.readIntLE(this.at - size, size)));
    }
    const length = this.length();
    return this.bytes.subarray(this.at, (this.at += length));
  }

  /** LZF. */
  private compressed(): Buffer {
    const length = this.length();
    const out = Buffer.alloc(this.length());
    const end = this.at + length;
    for (let to = 0; this.at < end;) {
      const control = this.u8();
      if (control < 32) {
        to += this.bytes.copy(out, to, this.at, (this.at += control + 1));
      } else {
        const count = (control >> 5 === 7 ? 7 + this.u8() : control >> 5) + 2;
        let from = to - ((control & 31) << 8) - this.u8() - 1;
        for (let i = 0; i < count; i++) out[to++] = out[from++]!;
      }
    }
    return out;
  }
}
