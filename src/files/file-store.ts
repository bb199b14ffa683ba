/** A file as it is in a store. */
export interface StoredFile {
  readonly bytes: number;
  /** Another text where it was written anew. */
  readonly version: string;
}

/**
 * Where files are kept. A file is written in blocks, by several processes at once and in any order, and is not there before all
 * are put together. All calls throw FileError.
 */
export interface FileStore {
  /** Where it is, without secrets: the same for two names of one store. */
  readonly address: string;
  /** Undefined where there is none. */
  find(file: string): Promise<StoredFile | undefined>;
  /** Bytes from `start`: `length` of them, which are all there. */
  read(file: string, version: string, start: number, length: number): Promise<Buffer>;
  /**
   * Keeps a block of a file to be. Written again under the same id it replaces the one before.
   * @param writer whose blocks they are: those of others are not touched
   * @param block of one length for all blocks of a file: letters, digits and "-"
   */
  stage(file: string, writer: string, block: string, bytes: Buffer): Promise<void>;
  /**
   * Makes the file of those of the writer's blocks, in this order. It is there whole, or not at all.
   * @param step called again and again where that takes long
   * @throws FileError `exists` where there is one, and it is not to be replaced; `blocksGone`
   */
  commit(file: string, writer: string, blocks: readonly string[], replace: boolean, step?: () => void): Promise<void>;
  /** Removes the writer's blocks, as far as that can be done. */
  discard(file: string, writer: string): Promise<void>;
}
