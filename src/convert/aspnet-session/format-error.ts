/** Why bytes were not understood: they end too early, they say something impossible, or they ask for more than is allowed. */
export type FormatErrorCode = 'truncated' | 'invalid' | 'limit';

/** Bytes that are not what they should be. Thrown by the readers of this folder, and by nothing else. */
export class FormatError extends Error {
  override readonly name = 'FormatError';

  /**
   * @param code the sort of trouble
   * @param offset where in the bytes it was met (0-based)
   * @param reason one sentence without the offset
   */
  constructor(
    readonly code: FormatErrorCode,
    readonly offset: number,
    readonly reason: string,
  ) {
    super(`${reason} (at byte ${offset})`);
  }
}
