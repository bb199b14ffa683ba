import { Command as IoRedisCommand } from 'ioredis';
import { BufferPool } from './buffer-pool';
import type { Argument, Command } from './redis-port';

const STAR = 0x2a;
const DOLLAR = 0x24;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;

/**
 * A command in the form that goes over the wire (RESP2, an array of bulk strings), made in one piece. ioredis makes many
 * small pieces of a command with thousands of arguments and joins them, which costs several times as much.
 */
export class EncodedCommand extends IoRedisCommand {
  private readonly buffer: Buffer;
  private readonly length: number;

  constructor(command: Command) {
    super(command[0], [], { replyEncoding: null });
    this.length = encodedSize(command);
    this.buffer = pool.take(this.length);
    encodeInto(this.buffer, 0, command);
  }

  override toWritable(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** To be called once the server has answered, and then only: until then the socket may hold the bytes. */
  release(): void {
    pool.give(this.buffer);
  }
}

/** Many commands in one piece. */
export class EncodedCommands {
  readonly bytes: Buffer;
  private readonly buffer: Buffer;

  /**
   * @param count how many commands
   * @param size bytes of all of them as they go over the wire
   * @param write writes them from the start of a buffer
   */
  constructor(
    readonly count: number,
    size: number,
    write: (out: Buffer) => void,
  ) {
    this.buffer = pool.take(size);
    this.bytes = this.buffer.subarray(0, size);
    write(this.buffer);
  }

  static of(commands: readonly Command[]): EncodedCommands {
    const size = commands.reduce((sum, command) => sum + encodedSize(command), 0);
    return new EncodedCommands(commands.length, size, (out) => {
      let at = 0;
      for (const command of commands) at = encodeInto(out, at, command);
    });
  }

  /** To be called once the server has answered all, and then only: until then the socket may hold the bytes. */
  release(): void {
    pool.give(this.buffer);
  }
}

const pool = new BufferPool(16 * 1_048_576);

/** `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n`: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export function encode(command: Command): Buffer {
  const out = Buffer.allocUnsafe(encodedSize(command));
  encodeInto(out, 0, command);
  return out;
}

function encodedSize(command: Command): number {
  let size = 1 + digitsOf(command.length) + 2;
  for (const arg of command) size += sizeOf(arg);
  return size;
}

function encodeInto(out: Buffer, from: number, command: Command): number {
  out[from] = STAR;
  let at = writeLine(out, from + 1, command.length);
  for (const arg of command) at = writeArgument(out, at, arg);
  return at;
}

function sizeOf(arg: Argument): number {
  return bulkSize(lengthOf(arg));
}

/** Bytes of a bulk string of so many bytes. */
export function bulkSize(length: number): number {
  return 1 + digitsOf(length) + 2 + length + 2;
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
  out[from] = DOLLAR;
  return writeLine(out, from + 1, length);
}

function endBulk(out: Buffer, at: number): number {
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}
