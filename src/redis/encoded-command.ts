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

  constructor([name, ...args]: Command) {
    super(name, [], { replyEncoding: null });
    this.length = encodedSize(name, args);
    this.buffer = pool.take(this.length);
    encodeInto(this.buffer, name, args);
  }

  override toWritable(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** To be called once the server has answered, and then only: until then the socket may hold the bytes. */
  release(): void {
    pool.give(this.buffer);
  }
}

const pool = new BufferPool(16 * 1_048_576);

/** `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n`: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export function encode([name, ...args]: Command): Buffer {
  const out = Buffer.allocUnsafe(encodedSize(name, args));
  encodeInto(out, name, args);
  return out;
}

function encodedSize(name: string, args: readonly Argument[]): number {
  let size = 1 + digitsOf(args.length + 1) + 2 + sizeOf(name);
  for (const arg of args) size += sizeOf(arg);
  return size;
}

function encodeInto(out: Buffer, name: string, args: readonly Argument[]): void {
  out[0] = STAR;
  let at = writeLine(out, 1, args.length + 1);
  at = writeArgument(out, at, name);
  for (const arg of args) at = writeArgument(out, at, arg);
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
