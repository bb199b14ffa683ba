import { createHash } from 'node:crypto';
import { inTurn } from './by-commands/texts';

/** What elements there are, in whatever order they come: their number, and the sum of their digests modulo 2^128. */
export class UnorderedSum {
  count = 0;
  private sum = 0n;

  /** @param texts of one element */
  add(texts: readonly Buffer[]): void {
    const hash = createHash('sha256');
    for (const piece of inTurn(texts)) hash.update(piece);
    const digest = hash.digest();
    this.sum = BigInt.asUintN(128, this.sum + digest.readBigUInt64LE() + (digest.readBigUInt64LE(8) << 64n));
    this.count++;
  }

  equals({ count, sum }: UnorderedSum): boolean {
    return this.count === count && this.sum === sum;
  }
}
