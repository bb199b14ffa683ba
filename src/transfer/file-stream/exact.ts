/** A stream that is sound, and cannot be read in pieces. The message is for people. */
export class NotInPiecesError extends Error {}

const TOO_GREAT =
  'One of the numbers of this stream (deliveries, entries added or read) is greater than 2^53 - 1, which cannot be told exactly.';

/** A number that commands tell. @throws NotInPiecesError */
export function exact(count: number): number {
  if (!Number.isSafeInteger(count)) throw new NotInPiecesError(TOO_GREAT);
  return count;
}
