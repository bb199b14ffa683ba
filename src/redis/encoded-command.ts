import { BufferPool } from './buffer-pool';
import type { Argument, Command } from './redis-port';
import { CR, KIND, LF, ZERO } from './resp-bytes';

/** An argument of so many bytes is not copied: it goes over the wire as it is, and must stay as it is until it is answered. */
const LARGE = 65_536;

/**
 * Commands in the form that goes over the wire (RESP2, arrays of bulk strings), large arguments as they are and all between them in one
 * piece: many small pieces of commands with thousands of arguments would cost several times as much.
 */
export class EncodedCommands {
  private encoded: Pick<Encoded, 'pieces' | 'release'>;

  /**
   * @param count how many commands
   * @param size bytes of all of them, but for those given by reference
   * @param write writes them from the start of a buffer
   */
  constructor(
    readonly count: number,
    size: number,
    write: (out: Buffer, byReference: ByReference) => void,
  ) {
    this.encoded = new Encoded(size, write);
  }

  static of(commands: readonly Command[]): EncodedCommands {
    const size = commands.reduce((sum, command) => sum + encodedSize(command), 0);
    return new EncodedCommands(commands.length, size, (out, byReference) => {
      let at = 0;
      for (const command of commands) at = encodeInto(out, at, command, byReference);
    });
  }

  /** All of them, one after the other, as one; whoever has it releases that alone. */
  static inTurn(all: readonly EncodedCommands[]): EncodedCommands {
    const count = all.reduce((sum, one) => sum + one.count, 0);
    const together = new EncodedCommands(count, 0, () => undefined);
    together.encoded = {
      pieces: all.flatMap(({ pieces }) => pieces),
      release: () => {
        for (const one of all) one.release();
      },
    };
    return together;
  }

  /** What goes over the wire, one after the other. */
  get pieces(): readonly Buffer[] {
    return this.encoded.pieces;
  }

  /** To be called once the server has answered all, and then only: until then the socket may hold the bytes. */
  release(): void {
    this.encoded.release();
  }
}

/** Says that bytes belong in front of a place of the buffer. */
export type ByReference = (at: number, bytes: Buffer) => void;

/** Whether an argument goes by reference. */
export function isLarge(argument: Argument): boolean {
  return argument.length >= LARGE && typeof argument !== 'string';
}

class Encoded {
  readonly pieces: readonly Buffer[];
  private readonly buffer: Buffer;

  constructor(size: number, write: (out: Buffer, byReference: ByReference) => void) {
    this.buffer = pool.take(size);
    const pieces: Buffer[] = [];
    let from = 0;
    write(this.buffer, (at, bytes) => {
      pieces.push(this.buffer.subarray(from, at), bytes);
      from = at;
    });
    this.pieces = [...pieces, this.buffer.subarray(from, size)];
  }

  release(): void {
    pool.give(this.buffer);
  }
}

const pool = new BufferPool(16 * 1_048_576);

/** `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n`: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export function encode(command: Command): Buffer {
  return Buffer.concat(EncodedCommands.of([command]).pieces);
}

/** Without what goes by reference. */
function encodedSize(command: Command): number {
  let size = 1 + digitsOf(command.length) + 2;
  for (const arg of command) size += isLarge(arg) ? bulkFrameSize(arg.length) : bulkSize(lengthOf(arg));
  return size;
}

function encodeInto(out: Buffer, from: number, command: Command, byReference: ByReference): number {
  out[from] = KIND.array;
  let at = writeLine(out, from + 1, command.length);
  for (const arg of command) {
    at =
      typeof arg !== 'string' && isLarge(arg)
        ? writeBulkByReference(out, at, arg, byReference)
        : writeArgument(out, at, arg);
  }
  return at;
}

/** Bytes of a bulk string of so many bytes. */
export function bulkSize(length: number): number {
  return bulkFrameSize(length) + length;
}

/** Bytes of a bulk string of so many bytes that go by reference. */
export function bulkFrameSize(length: number): number {
  return 1 + digitsOf(length) + 2 + 2;
}

function lengthOf(arg: Argument): number {
  return typeof arg === 'string' ? Buffer.byteLength(arg) : arg.length;
}

/** Decimal digits of a whole number from 0. */
export function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}

function writeLine(out: Buffer, from: number, value: number): number {
  const digits = digitsOf(value);
  writeDigits(out, from, value, digits);
  return endBulk(out, from + digits);
}

/** So many digits fit into the engine's small integers, which divide several times faster. */
const SMALL = 1e9;

function writeDigits(out: Buffer, from: number, value: number, digits: number): void {
  let at = from + digits - 1;
  let rest = value;
  if (value >= SMALL) {
    rest = Math.floor(value / SMALL);
    let low = value - rest * SMALL;
    for (let i = 0; i < 9; i++, at--) {
      const tenth = (low / 10) | 0;
      out[at] = ZERO + low - tenth * 10;
      low = tenth;
    }
  }
  for (; at >= from; at--) {
    const tenth = (rest / 10) | 0;
    out[at] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
}

/** Below this a loop over bytes is faster than a call into the engine. */
const SHORT = 24;

/** Writes a bulk string and gives the place behind it. */
export function writeBulk(out: Buffer, from: number, bytes: Buffer): number {
  const { length } = bytes;
  const at = writeBulkHead(out, from, length);
  writeBytes(out, at, bytes);
  return endBulk(out, at + length);
}

/** The same where the bytes themselves go by reference. */
export function writeBulkByReference(out: Buffer, from: number, bytes: Buffer, byReference: ByReference): number {
  const at = writeBulkHead(out, from, bytes.length);
  byReference(at, bytes);
  return endBulk(out, at);
}

/** Writes bytes as they are and gives the place behind them. */
export function writeBytes(out: Buffer, at: number, bytes: Buffer): number {
  const { length } = bytes;
  if (length <= SHORT) for (let i = 0; i < length; i++) out[at + i] = bytes[i] ?? 0;
  else out.set(bytes, at);
  return at + length;
}

/** Writes a whole number from 0 as a bulk string and gives the place behind it. */
export function writeBulkNumber(out: Buffer, from: number, value: number): number {
  const digits = digitsOf(value);
  const at = writeBulkHead(out, from, digits);
  writeDigits(out, at, value, digits);
  return endBulk(out, at + digits);
}

function writeArgument(out: Buffer, from: number, arg: Argument): number {
  if (typeof arg !== 'string') return writeBulk(out, from, arg);
  const length = lengthOf(arg);
  const at = writeBulkHead(out, from, length);
  if (length === arg.length && length <= SHORT) {
    for (let i = 0; i < length; i++) out[at + i] = arg.charCodeAt(i);
  } else {
    out.write(arg, at);
  }
  return endBulk(out, at + length);
}

function writeBulkHead(out: Buffer, from: number, length: number): number {
  out[from] = KIND.bulk;
  return writeLine(out, from + 1, length);
}

function endBulk(out: Buffer, at: number): number {
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}
