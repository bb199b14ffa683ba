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
  readonly count: number;
  private readonly buffer: Buffer;

  constructor(commands: readonly Command[]) {
    const size = commands.reduce((sum, command) => sum + encodedSize(command), 0);
    this.count = commands.length;
    this.buffer = pool.take(size);
    this.bytes = this.buffer.subarray(0, size);
    let at = 0;
    for (const command of commands) at = encodeInto(this.buffer, at, command);
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
  const length = lengthOf(arg);
  return 1 + digitsOf(length) + 2 + length + 2;
}

function lengthOf(arg: Argument): number {
  return typeof arg === 'string' ? Buffer.byteLength(arg) : arg.length;
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let v = value; v >= 10; v = Math.floor(v / 10)) digits++;
  return digits;
}

function writeLine(out: Buffer, from: number, value: number): number {
  const digits = digitsOf(value);
  let v = value;
  for (let at = from + digits - 1; at >= from; at--) {
    out[at] = ZERO + (v % 10);
    v = Math.floor(v / 10);
  }
  out[from + digits] = CR;
  out[from + digits + 1] = LF;
  return from + digits + 2;
}

/** Below this a loop over bytes is faster than a call into the engine. */
const SHORT = 24;

function writeArgument(out: Buffer, from: number, arg: Argument): number {
  out[from] = DOLLAR;
  const length = lengthOf(arg);
  let at = writeLine(out, from + 1, length);
  if (typeof arg !== 'string') {
    if (length <= SHORT) for (let i = 0; i < length; i++) out[at + i] = arg[i] ?? 0;
    else out.set(arg, at);
  } else if (length === arg.length && length <= SHORT) {
    for (let i = 0; i < length; i++) out[at + i] = arg.charCodeAt(i);
  } else {
    out.write(arg, at);
  }
  at += length;
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}
