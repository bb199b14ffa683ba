/** What a server sends, in either protocol: a status or number as it is, a bulk string as bytes, an aggregate as a list. */
export type Told = string | number | Buffer | null | ReplyError | readonly Told[];

/** An error reply, in its place. */
export class ReplyError {
  constructor(readonly text: string) {}
}

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

/** Bounds on what comes from outside. A key's name is far shorter, one event loop of a server changes far fewer keys. */
const LONGEST_STRING = 64 * 1_048_576;
const MOST_ITEMS = 1 << 24;
const DEEPEST = 8;
const LONGEST_LINE = 65_536;

const NOTHING = Buffer.alloc(0);

/**
 * Reads RESP2 and RESP3, bytes in pieces of any size. A message of a million names is read once, not once a piece.
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class RespReader {
  private rest: Buffer = NOTHING;
  private readonly open: Open[] = [];

  /** @param onValue called for each whole value, and whether it was pushed: it answers nothing then */
  constructor(private readonly onValue: (value: Told, isPush: boolean) => void) {}

  /** @throws UnreadableReplyError */
  feed(chunk: Buffer): void {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    while (at < bytes.length) {
      const next = this.one(bytes, at);
      if (next === undefined) break;
      at = next;
    }
    // Not as a view, which would keep the whole chunk.
    this.rest = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
  }

  /** Reads the scalar, or the head of an aggregate, at a place; the place behind it, undefined where it is not whole yet. */
  private one(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf('\r\n', at + 1, 'latin1');
    if (end === -1) {
      if (bytes.length - at > LONGEST_LINE) throw new UnreadableReplyError();
      return undefined;
    }
    const line = bytes.toString('latin1', at + 1, end);
    const behind = end + 2;
    switch (String.fromCharCode(bytes[at] ?? 0)) {
      case '+':
      case ',':
      case '(':
      case '#':
        this.whole(line, false);
        return behind;
      case '-':
        this.whole(new ReplyError(line), false);
        return behind;
      case ':':
        this.whole(Number(line), false);
        return behind;
      case '_':
        this.whole(null, false);
        return behind;
      case '$':
      case '=':
        return this.string(bytes, behind, sizeOf(line, LONGEST_STRING), (text) => text);
      case '!':
        return this.string(
          bytes,
          behind,
          sizeOf(line, LONGEST_STRING),
          (text) => new ReplyError(text.toString('latin1')),
        );
      case '*':
      case '~':
        this.aggregate(sizeOf(line, MOST_ITEMS), false);
        return behind;
      case '>':
        this.aggregate(sizeOf(line, MOST_ITEMS), true);
        return behind;
      case '%':
        this.aggregate(2 * sizeOf(line, MOST_ITEMS), false);
        return behind;
      default:
        throw new UnreadableReplyError();
    }
  }

  private string(bytes: Buffer, from: number, length: number, valueOf: (text: Buffer) => Told): number | undefined {
    if (length < 0) {
      this.whole(null, false);
      return from;
    }
    const behind = from + length + 2;
    if (behind > bytes.length) return undefined;
    this.whole(valueOf(bytes.subarray(from, behind - 2)), false);
    return behind;
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
    this.onValue(now, pushed);
  }
}

function sizeOf(line: string, most: number): number {
  const size = Number(line);
  if (!Number.isInteger(size) || size < -1 || size > most || line === '') throw new UnreadableReplyError();
  return size;
}
