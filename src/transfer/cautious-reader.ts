import { isRedisError } from '../redis/errors';
import type { PageReader, ReadKeys, ReadLimits, ScannedKeys } from './page-reader';

/** Each step down is to a quarter, as long as pages are larger than this. Bytes. */
const STEP = 4;
const SMALLEST_PAGE = 16_384;
/** One loss of a connection is chance. */
const LOSSES = 2;

/**
 * Reads smaller pages from when its connection was lost twice in reading one, and smaller ones with each further loss: some servers
 * cut a client off whose reply is larger than they allow (client-output-buffer-limit), without a word. What is too large for a page
 * then is left to the copy by commands.
 */
export class CautiousReader implements PageReader {
  private reader: PageReader;
  private losses = 0;
  /** COUNT is divided by it. */
  private divisor = 1;

  constructor(
    private readonly make: (limits: ReadLimits) => PageReader,
    private limits: ReadLimits,
  ) {
    this.reader = make(limits);
  }

  scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    return this.carefully((reader) => reader.scan(cursor, this.cut(count), withTypes));
  }

  read(keys: readonly Buffer[]): Promise<ReadKeys> {
    return this.carefully((reader) => reader.read(keys));
  }

  scanAndRead(cursor: bigint, count: number): Promise<{ readonly next: bigint; readonly page: ReadKeys }> {
    return this.carefully((reader) => reader.scanAndRead(cursor, this.cut(count)));
  }

  private cut(count: number): number {
    return Math.max(1, Math.floor(count / this.divisor));
  }

  private async carefully<T>(call: (reader: PageReader) => Promise<T>): Promise<T> {
    try {
      const result = await call(this.reader);
      this.losses = 0;
      return result;
    } catch (error) {
      if (isRedisError(error, 'connectionLost') && ++this.losses >= LOSSES) this.stepDown();
      throw error;
    }
  }

  private stepDown(): void {
    const pageBytes = Math.floor(this.limits.pageBytes / STEP);
    if (pageBytes < SMALLEST_PAGE) return;
    this.divisor *= STEP;
    this.limits = { ...this.limits, pageBytes, bigKeyBytes: Math.min(this.limits.bigKeyBytes, pageBytes) };
    this.reader = this.make(this.limits);
  }
}
