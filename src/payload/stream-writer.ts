import { Output } from './output';
import { writeBytes } from './rdb-string';
import { bytesOfId, ID_BYTES, type StreamId } from './stream-id';

/** As servers do by default (stream-node-max-entries, stream-node-max-bytes). */
const MOST_ENTRIES = 100;
const MOST_BYTES = 4_096;

const SAME_FIELDS = 2;
const LISTPACK_HEAD = 6;
const LISTPACK_END = 0xff;
const UNTOLD = 0xffff;
/** Of a number as text that is written as one: below 2^53 in any case. */
const MOST_DIGITS = 15;

/** Writes entries of a stream as nodes; see stream.ts for what these are. */
export class NodeWriter {
  private readonly entries = new ListpackBody();
  private readonly head = new ListpackBody();
  private readonly node = new Output();
  private base: StreamId | undefined;
  private fields: readonly Buffer[] = [];
  private count = 0;
  /** How many were written. */
  nodes = 0;

  constructor(private readonly out: Output) {}

  /** Adds an entry behind all others. @param values fields and values in turns */
  add(id: StreamId, values: readonly Buffer[]): void {
    const fields = values.filter((_, i) => i % 2 === 0);
    if (this.base === undefined) {
      this.base = id;
      this.fields = fields;
    }
    const { entries, base } = this;
    const isSame = fields.length === this.fields.length && fields.every((field, i) => this.fields[i]?.equals(field));
    entries.integer(isSame ? BigInt(SAME_FIELDS) : 0n);
    entries.integer(BigInt.asIntN(64, id.ms - base.ms));
    entries.integer(BigInt.asIntN(64, id.seq - base.seq));
    if (!isSame) entries.integer(BigInt(fields.length));
    values.forEach((value, i) => {
      if (!isSame || i % 2 === 1) entries.text(value);
    });
    entries.integer(BigInt(isSame ? fields.length + 3 : 2 * fields.length + 4));
    this.count++;
    if (this.count >= MOST_ENTRIES || entries.length >= MOST_BYTES) this.end();
  }

  /** Ends the node that is under way. */
  end(): void {
    const { base, out, head, entries, node, fields } = this;
    if (base === undefined) return;
    out.rdbString(bytesOfId(base), 0, ID_BYTES);
    head.clear();
    for (const number of [this.count, 0, fields.length]) head.integer(BigInt(number));
    for (const field of fields) head.text(field);
    head.integer(0n);
    node.clear();
    writeListpack(node, [head, entries]);
    writeBytes(out, node.bytes, 0, node.length, true);
    entries.clear();
    this.base = undefined;
    this.count = 0;
    this.nodes++;
  }
}

/** Elements of a listpack; see listpack.ts. */
class ListpackBody {
  private readonly out = new Output(2 * MOST_BYTES);
  elements = 0;

  get length(): number {
    return this.out.length;
  }

  clear(): void {
    this.out.clear();
    this.elements = 0;
  }

  into(out: Output): void {
    out.raw(this.out.bytes, 0, this.out.length);
  }

  text(bytes: Buffer): void {
    const number = numberIn(bytes);
    if (number !== undefined) {
      this.integer(number);
      return;
    }
    const { out } = this;
    const from = out.length;
    const { length } = bytes;
    if (length < 64) out.byte(0x80 | length);
    else if (length < 4_096) {
      out.byte(0xe0 | (length >> 8));
      out.byte(length & 0xff);
    } else {
      out.byte(0xf0);
      this.littleEndian(BigInt(length), 4);
    }
    out.raw(bytes, 0, length);
    this.close(from);
  }

  integer(value: bigint): void {
    const { out } = this;
    const from = out.length;
    if (value >= 0n && value < 128n) out.byte(Number(value));
    else if (value >= -4_096n && value < 4_096n) {
      const bits = Number(BigInt.asUintN(13, value));
      out.byte(0xc0 | (bits >> 8));
      out.byte(bits & 0xff);
    } else {
      const bytes = WIDTHS.find((width) => BigInt.asIntN(8 * width, value) === value) ?? 8;
      out.byte(bytes === 8 ? 0xf4 : 0xf1 + bytes - 2);
      this.littleEndian(value, bytes);
    }
    this.close(from);
  }

  private littleEndian(value: bigint, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.out.byte(Number(BigInt.asUintN(8, value >> BigInt(8 * i))));
  }

  /** The length of an element stands behind it, 7 bits in a byte, the highest first. */
  private close(from: number): void {
    const size = this.out.length - from;
    const count = size < 128 ? 1 : size < 16_383 ? 2 : size < 2_097_151 ? 3 : size < 268_435_455 ? 4 : 5;
    for (let i = count - 1; i >= 0; i--) {
      const bits = Math.floor(size / 128 ** i) % 128;
      this.out.byte(i === count - 1 ? bits : 0x80 | bits);
    }
    this.elements++;
  }
}

const WIDTHS = [2, 3, 4];

function writeListpack(out: Output, bodies: readonly ListpackBody[]): void {
  const bytes = bodies.reduce((sum, { length }) => sum + length, LISTPACK_HEAD + 1);
  const elements = bodies.reduce((sum, body) => sum + body.elements, 0);
  out.reserve(bytes);
  out.length = out.bytes.writeUInt32LE(bytes, out.length);
  out.length = out.bytes.writeUInt16LE(Math.min(elements, UNTOLD), out.length);
  for (const body of bodies) body.into(out);
  out.byte(LISTPACK_END);
}

/** The number that a text is, where it is written as servers would write that; undefined for other texts. */
function numberIn(bytes: Buffer): bigint | undefined {
  if (bytes.length === 0 || bytes.length > MOST_DIGITS) return undefined;
  const first = bytes[0] ?? 0;
  if (first !== 0x2d && (first < 0x30 || first > 0x39)) return undefined;
  const text = bytes.toString('latin1');
  const number = Number(text);
  return Number.isSafeInteger(number) && !Object.is(number, -0) && String(number) === text ? BigInt(number) : undefined;
}
