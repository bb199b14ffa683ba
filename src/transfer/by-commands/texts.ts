import { Sha1 } from '../../basics/sha1';

/**
 * Texts one after the other, each with its length before it, so that no other texts give the same; as fingerprint.lua joins them.
 * In pieces: values may be large, and are not put together.
 */
export function inTurn(texts: readonly Buffer[]): Buffer[] {
  return texts.flatMap((text) => [lengthOf(text.length), text]);
}

/** The same as one text among others. */
export function asOneText(texts: readonly Buffer[]): Buffer[] {
  const pieces = inTurn(texts);
  return [lengthOf(sizeOfTexts(pieces)), ...pieces];
}

/** Bytes of all of them. */
export function sizeOfTexts(texts: readonly Buffer[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}

/** SHA-1 of pieces that come bit by bit. */
export class TextsDigest {
  private readonly digest = new Sha1();

  add(pieces: readonly Buffer[]): void {
    for (const piece of pieces) this.digest.add(piece);
  }

  hex(): string {
    return this.digest.hex();
  }
}

/** Most texts are short. */
const LENGTHS = Array.from({ length: 1_024 }, (_, length) => Buffer.from(`${length}:`));

function lengthOf(length: number): Buffer {
  return LENGTHS[length] ?? Buffer.from(`${length}:`);
}
