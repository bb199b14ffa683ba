import type { RedisError } from './errors';
import { CR, KIND, LF, ZERO } from './resp-bytes';

/** What a server sends, in either protocol: a number as it is, a status or a string as bytes, an aggregate as a list. */
export type Told = number | Buffer | null | RedisError | readonly Told[];

/** What came is in no form that this connection can have asked for: it cannot be read any further. */
export class UnreadableReplyError extends Error {
  constructor() {
    super('The server answered in an unexpected form.');
    this.name = 'UnreadableReplyError';
  }
}

/** An aggregate that has not come whole yet. */
interface Open {
  readonly items: Told[];
  readonly isPush: boolean;
  left: number;
}

/** A string that has not come whole yet. */
interface Long {
  readonly text: Buffer;
  readonly valueOf: (text: Buffer) => Told;
  /** Of the text and the end of line behind it, how many bytes have come. */
  come: number;
}

/** Bounds on what comes from outside; one event loop of a server changes far fewer keys. */
const MOST_ITEMS = 1 << 24;
const DEEPEST = 32;
const LONGEST_LINE = 65_536;

/** A string of so many bytes gets a buffer of its own, which is filled as it comes. */
const LONG = 16_384;
const END_OF_LINE = 2;

type Kind = (typeof KIND)[keyof typeof KIND];
const KINDS: ReadonlySet<number> = new Set(Object.values(KIND));
const NOTHING = Buffer.alloc(0);
const OK = Buffer.from('OK');

export interface ReaderOptions {
  /** Called for each whole value, and whether it was pushed: it answers nothing then. */
  onValue(value: Told, isPush: boolean): void;
  /** What stands in the place of an error reply, which may be one of the replies in a list. */
  errorOf(text: string, isInList: boolean): RedisError;
  /** Bytes of the longest string that may come. */
  readonly longestString: number;
}

/**
 * Reads RESP2 and RESP3, bytes in pieces of any size. A message of a million names is read once, not once a piece, and a long string is
 * in memory once.
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class RespReader {
  private rest: Buffer = NOTHING;
  private long: Long | undefined;
  private readonly open: Open[] = [];

  constructor(private readonly options: ReaderOptions) {}

  /** @param piece read now; may be overwritten afterwards @throws UnreadableReplyError */
  feed(piece: Buffer): void {
    const from = this.fill(piece);
    if (from === piece.length) return;
    const come = from === 0 ? piece : piece.subarray(from);
    const bytes = this.rest.length === 0 ? Buffer.from(come) : Buffer.concat([this.rest, come]);
    let at = 0;
    while (at < bytes.length) {
      const next = this.one(bytes, at);
      if (next === undefined) break;
      at = next;
    }
    // Not as a view, which would keep the whole piece.
    this.rest = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
  }

  /** Reads on in a long string; the place behind what belongs to it. */
  private fill(piece: Buffer): number {
    const { long } = this;
    if (long === undefined) return 0;
    const { text, valueOf } = long;
    const used = Math.min(piece.length, text.length + END_OF_LINE - long.come);
    if (long.come < text.length) piece.copy(text, long.come, 0, used);
    long.come += used;
    if (long.come === text.length + END_OF_LINE) {
      this.long = undefined;
      this.whole(valueOf(text), false);
    }
    return used;
  }

  /** Reads the scalar, or the head of an aggregate, at a place; the place behind it, undefined where it is not whole yet. */
  private one(bytes: Buffer, at: number): number | undefined {
    const { longestString } = this.options;
    const kind = bytes[at] ?? 0;
    if (!isKind(kind)) throw new UnreadableReplyError();
    const end = endOfLine(bytes, at + 1);
    if (end === undefined) {
      if (bytes.length - at > LONGEST_LINE) throw new UnreadableReplyError();
      return undefined;
    }
    const behind = end + END_OF_LINE;
    switch (kind) {
      case KIND.bulk:
      case KIND.verbatim:
        return this.string(bytes, behind, sizeIn(bytes, at + 1, end, longestString), itself);
      case KIND.number:
        this.whole(wholeNumberIn(bytes, at + 1, end) ?? Number(bytes.toString('latin1', at + 1, end)), false);
        return behind;
      case KIND.array:
      case KIND.set:
        this.aggregate(sizeIn(bytes, at + 1, end, MOST_ITEMS), false);
        return behind;
      case KIND.status:
      case KIND.double:
      case KIND.big:
      case KIND.boolean: {
        const text = bytes.subarray(at + 1, end);
        this.whole(text.equals(OK) ? OK : text, false);
        return behind;
      }
      case KIND.error:
        this.whole(this.error(bytes.subarray(at + 1, end)), false);
        return behind;
      case KIND.null:
        this.whole(null, false);
        return behind;
      case KIND.bulkError:
        return this.string(bytes, behind, sizeIn(bytes, at + 1, end, longestString), (text) => this.error(text));
      case KIND.push:
        this.aggregate(sizeIn(bytes, at + 1, end, MOST_ITEMS), true);
        return behind;
      case KIND.map:
        this.aggregate(2 * sizeIn(bytes, at + 1, end, MOST_ITEMS), false);
        return behind;
    }
  }

  private string(bytes: Buffer, from: number, length: number, valueOf: (text: Buffer) => Told): number | undefined {
    if (length < 0) {
      this.whole(null, false);
      return from;
    }
    const behind = from + length + END_OF_LINE;
    if (behind > bytes.length) {
      if (length < LONG) return undefined;
      this.long = { text: allocate(length), valueOf, come: bytes.length - from };
      bytes.copy(this.long.text, 0, from);
      return bytes.length;
    }
    this.whole(valueOf(bytes.subarray(from, behind - END_OF_LINE)), false);
    return behind;
  }

  private error(text: Buffer): RedisError {
    return this.options.errorOf(text.toString(), this.open.length > 0);
  }

  private aggregate(items: number, isPush: boolean): void {
    if (items < 0) this.whole(null, false);
    else if (items === 0) this.whole([], isPush);
    else {
      if (this.open.length >= DEEPEST) throw new UnreadableReplyError();
      this.open.push({ items: [], isPush, left: items });
    }
  }

  private whole(value: Told, isPush: boolean): void {
    let [now, pushed] = [value, isPush];
    for (let top = this.open.at(-1); top !== undefined; top = this.open.at(-1)) {
      top.items.push(now);
      if (--top.left > 0) return;
      this.open.pop();
      [now, pushed] = [top.items, top.isPush];
    }
    this.options.onValue(now, pushed);
  }
}

function isKind(byte: number): byte is Kind {
  return KINDS.has(byte);
}

/** The place of the end of line behind a place; undefined where it has not come yet. */
function endOfLine(bytes: Buffer, from: number): number | undefined {
  // Most lines have few digits: a call of the engine for each would cost more than all else.
  for (let at = from; at < bytes.length - 1; at++) if (bytes[at] === CR && bytes[at + 1] === LF) return at;
  return undefined;
}

/** So many digits are a safe integer whatever they are. */
const SAFE_DIGITS = 15;

/** A number written as digits alone, as nearly all are; undefined for any other. */
function wholeNumberIn(bytes: Buffer, from: number, end: number): number | undefined {
  if (end === from || end - from > SAFE_DIGITS) return undefined;
  let value = 0;
  for (let at = from; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

/** @throws UnreadableReplyError */
function sizeIn(bytes: Buffer, from: number, end: number, most: number): number {
  const size = wholeNumberIn(bytes, from, end) ?? Number(bytes.toString('latin1', from, end));
  if (!Number.isInteger(size) || size < -1 || size > most || end === from) throw new UnreadableReplyError();
  return size;
}

const itself = (text: Buffer) => text;

function allocate(length: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(length);
  } catch {
    throw new UnreadableReplyError();
  }
}
