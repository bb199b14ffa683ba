import { CR, KIND, LF } from './resp-bytes';

const LETTER_O = 0x4f;
const LETTER_K = 0x4b;

const NOTHING = Buffer.alloc(0);

/** A reply that has no place among statuses, such as an array: the connection cannot be read any further. */
export class UnexpectedReplyError extends Error {
  constructor() {
    super('The server answered in an unexpected form.');
    this.name = 'UnexpectedReplyError';
  }
}

/**
 * Reads RESP2 replies of which only matters whether they are errors: `+OK`, `-OOM …`, `:1`, `$3 …`. Bytes come in pieces
 * of any size.
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class StatusParser {
  private rest: Buffer = NOTHING;

  /** @param onReply called for each reply in its turn, with the text of an error or undefined, and that of a string (`$`) */
  constructor(private readonly onReply: (error: string | undefined, told?: string) => void) {}

  /** @param piece read now; may be overwritten afterwards @throws UnexpectedReplyError */
  feed(piece: Buffer): void {
    const bytes = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece]);
    let at = 0;
    while (at < bytes.length) {
      const next = this.one(bytes, at);
      if (next === undefined) break;
      at = next;
    }
    this.rest = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
  }

  /** Reads the reply at a place and gives the place behind it; undefined when it is not whole yet. */
  private one(bytes: Buffer, at: number): number | undefined {
    const kind = bytes[at];
    if (kind === KIND.status && at + 5 <= bytes.length && isOk(bytes, at)) {
      this.onReply(undefined);
      return at + 5;
    }
    const end = bytes.indexOf('\r\n', at + 1, 'latin1');
    if (end === -1) return undefined;
    if (kind === KIND.status || kind === KIND.number) {
      this.onReply(undefined);
      return end + 2;
    }
    if (kind === KIND.error) {
      this.onReply(bytes.toString('utf8', at + 1, end));
      return end + 2;
    }
    if (kind !== KIND.bulk) throw new UnexpectedReplyError();
    const length = Number(bytes.toString('latin1', at + 1, end));
    const behind = length < 0 ? end + 2 : end + 2 + length + 2;
    if (behind > bytes.length) return undefined;
    this.onReply(undefined, length < 0 ? undefined : bytes.toString('utf8', end + 2, behind - 2));
    return behind;
  }
}

function isOk(bytes: Buffer, at: number): boolean {
  return bytes[at + 1] === LETTER_O && bytes[at + 2] === LETTER_K && bytes[at + 3] === CR && bytes[at + 4] === LF;
}
