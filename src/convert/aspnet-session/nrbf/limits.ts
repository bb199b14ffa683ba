/** What a stream may ask for at most. All are checked before memory is taken. */
export interface NrbfLimits {
  /** Length of the whole stream in bytes. */
  readonly bytes: number;
  /** Inline records in one another (structs in structs). BinaryFormatter defers everything else. */
  readonly depth: number;
  /** Members of all classes described in the stream together. */
  readonly members: number;
  /** Records that have an id (classes, arrays, strings, libraries). */
  readonly objects: number;
  /** References to objects that come later in the stream. */
  readonly forwardReferences: number;
  /** Elements of all arrays together that are not plain numbers; runs of nulls count in full, as a reader allocates them. */
  readonly elements: number;
}

/** Far above any real session, far below what would hurt: the worst stream costs some 100 MB and a second. */
export const DEFAULT_NRBF_LIMITS: NrbfLimits = {
  bytes: 512 * 1024 * 1024,
  depth: 64,
  members: 1_000_000,
  objects: 1_000_000,
  forwardReferences: 1_000_000,
  elements: 16_777_216,
};
