import { createHash, hash, type Hash } from 'node:crypto';

/**
 * What is no larger is put together first: an object for a digest costs more than the digest of some bytes, and its memory is given back late.
 * Bytes.
 */
const TOGETHER = 16_384;
const together = Buffer.allocUnsafeSlow(TOGETHER);

/** SHA-1 of a text, or of pieces as of all of them together, as hexadecimal digits. */
export function sha1Of(what: string | readonly Buffer[]): string {
  if (typeof what === 'string') return hash('sha1', what, 'hex');
  const [first] = what;
  if (first !== undefined && what.length === 1) return hash('sha1', first, 'hex');
  let size = 0;
  for (const piece of what) size += piece.length;
  if (size > TOGETHER) {
    const digest = createHash('sha1');
    for (const piece of what) digest.update(piece);
    return digest.digest('hex');
  }
  let at = 0;
  for (const piece of what) at += piece.copy(together, at);
  return hash('sha1', together.subarray(0, at), 'hex');
}

const FIRST_ROOM = 256;
const NOTHING = Buffer.alloc(0);

/** SHA-1 of pieces that come bit by bit. They may be used otherwise once they are added. */
export class Sha1 {
  private held: Buffer = NOTHING;
  private at = 0;
  private begun: Hash | undefined;

  add(piece: Buffer): void {
    const { length } = piece;
    if (this.at + length > TOGETHER) this.flush();
    if (length > TOGETHER) {
      this.hash.update(piece);
      return;
    }
    const needed = this.at + length;
    if (needed > this.held.length) {
      const larger = Buffer.allocUnsafe(Math.min(TOGETHER, Math.max(FIRST_ROOM, 2 * needed)));
      this.held.copy(larger, 0, 0, this.at);
      this.held = larger;
    }
    piece.copy(this.held, this.at);
    this.at = needed;
  }

  /** To be called once, at the end. */
  hex(): string {
    if (this.begun === undefined) return hash('sha1', this.held.subarray(0, this.at), 'hex');
    this.flush();
    return this.begun.digest('hex');
  }

  private get hash(): Hash {
    return (this.begun ??= createHash('sha1'));
  }

  private flush(): void {
    if (this.at > 0) this.hash.update(this.held.subarray(0, this.at));
    this.at = 0;
  }
}
