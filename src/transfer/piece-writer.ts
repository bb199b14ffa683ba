import { createHash } from 'node:crypto';
import { combineCrc64, Crc64 } from '../payload/crc64';
import { MOST_PIECE_RUNS, type FilePiece } from '../migration/rows';

/** So many of the last keys are known again. A table that shrinks gives at most one bucket of its keys twice. */
const BORDER = 32;

/**
 * A block that is no older is not closed for a checkpoint before it is half full: there may be so many of them only. The fewer there may
 * still be, the older it becomes.
 */
const YOUNG_MS = 20_000;
const TOO_MANY_RUNS =
  'The range has written its part of the file in too many pieces: raise KEYFERRY_BIG_KEY_MIB, and start again.';

/** What keys are known again by: 64 bits of a hash. */
function markOf(key: Buffer): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 11);
}

/** A block that is written. Its name is of one length, and no other worker's block has it. */
export function blockName(range: number, generation: number, number: number): string {
  return [range, generation, number].map((each) => String(each).padStart(9, '0')).join('-');
}

/** A block that is kept and in no piece yet. */
export interface Block {
  readonly number: number;
  readonly length: number;
  readonly crc: bigint;
}

/** Records of keys that were written together: their bytes, or the blocks that have them already; none where others have them. */
export interface Records {
  readonly content: Buffer | readonly Block[];
  readonly keys: readonly Buffer[];
  readonly expiring: number;
}

/**
 * Writes one range's piece of a file in blocks, in the order in which records are appended. Blocks are kept while others are
 * being gathered; one that cannot be kept lets no later piece be told.
 */
export class PieceWriter {
  private open: Buffer[] = [];
  private openBytes = 0;
  private keeping: Promise<void> = Promise.resolve();
  private waiting = 0;
  private piece: FilePiece;
  private number = 0;
  private hasFailed = false;
  /** The keys that were appended last here. */
  private last: readonly Buffer[] = [];
  private closedAt = performance.now();

  /**
   * @param before what earlier workers wrote up to the cursor
   * @param blockBytes a block is closed when it is as large
   * @param mostBlocks so many blocks may be closed before that, or be larger
   * @param keep keeps a block under its name. Throws what keeps the range from going on.
   */
  constructor(
    before: FilePiece | null,
    private readonly generation: number,
    readonly blockBytes: number,
    private readonly mostBlocks: number,
    private readonly keep: (generation: number, number: number, bytes: Buffer) => Promise<void>,
  ) {
    this.piece = before ?? { runs: [], bytes: 0, crc: '0'.repeat(16), keys: 0, expiring: 0, border: [] };
  }

  /** Which of these keys were among the last that an earlier worker wrote; behind the first keys of this one none is any more. */
  repeatedIn(keys: readonly Buffer[]): ReadonlySet<Buffer> {
    if (this.last.length > 0 || this.piece.border.length === 0) return new Set();
    const border = new Set(this.piece.border);
    return new Set(keys.filter((key) => border.has(markOf(key))));
  }

  /** Waits until there is room for more: no more than two blocks wait to be kept. Throws what one could not be kept for. */
  async room(): Promise<void> {
    if (this.hasFailed || this.waiting > 1) await this.keeping;
  }

  /** Keeps bytes at once, to be appended later: what is large must not wait in memory. Throws as `keep` does. */
  async keepNow(bytes: Buffer): Promise<Block> {
    const block = this.blockOf(bytes);
    await this.keep(this.generation, block.number, bytes);
    return block;
  }

  append({ content, keys, expiring }: Records): void {
    if (keys.length === 0) return;
    if (Buffer.isBuffer(content)) {
      this.open.push(content);
      this.openBytes += content.length;
    } else if (content.length > 0) {
      this.close();
      for (const block of content) this.piece = withBlock(this.piece, this.generation, block);
    }
    this.last = [...this.last, ...keys.slice(-BORDER)].slice(-BORDER);
    const { keys: keysBefore, expiring: expiringBefore } = this.piece;
    this.piece = {
      ...this.piece,
      keys: keysBefore + keys.length,
      expiring: expiringBefore + expiring,
    };
    if (this.openBytes >= this.blockBytes) this.close();
    if (this.piece.runs.length >= MOST_PIECE_RUNS) this.fail(new Error(TOO_MANY_RUNS));
  }

  /**
   * The piece with all that was appended up to now, once it is kept.
   * @param force also where that would close a block that is small and young; undefined for such a one otherwise
   */
  async cut(force: boolean): Promise<FilePiece | undefined> {
    const isYoung = performance.now() - this.closedAt < this.youngMs && this.openBytes < this.blockBytes / 2;
    if (!force && isYoung && this.openBytes > 0) return undefined;
    this.close();
    const { piece } = this;
    const border = [...piece.border, ...this.last.map(markOf)].slice(-BORDER);
    await this.keeping;
    return { ...piece, border };
  }

  private get youngMs(): number {
    const blocks = this.piece.runs.reduce((sum, [, first, last]) => sum + last + 1 - first, 0);
    const left = this.mostBlocks - blocks;
    return left <= 0 ? Infinity : (YOUNG_MS * this.mostBlocks) / left;
  }

  /** Lets nothing more be told of this piece. */
  fail(error: Error): void {
    this.hasFailed = true;
    this.keeping = Promise.reject(error);
    this.keeping.catch(() => undefined);
  }

  private close(): void {
    if (this.openBytes === 0) return;
    const bytes = this.open.length === 1 ? (this.open[0] ?? Buffer.alloc(0)) : Buffer.concat(this.open);
    this.open = [];
    this.openBytes = 0;
    this.closedAt = performance.now();
    const block = this.blockOf(bytes);
    this.piece = withBlock(this.piece, this.generation, block);
    this.waiting++;
    this.keeping = this.keeping
      .then(() => this.keep(this.generation, block.number, bytes))
      .then(() => {
        this.waiting--;
      });
    // Whoever cuts or waits for room hears of it.
    this.keeping.catch(() => {
      this.hasFailed = true;
    });
  }

  private blockOf(bytes: Buffer): Block {
    return { number: this.number++, length: bytes.length, crc: new Crc64().update(bytes).value };
  }
}

function withBlock(piece: FilePiece, generation: number, { number, length, crc }: Block): FilePiece {
  const last = piece.runs.at(-1);
  const goesOn = last?.[0] === generation && last[2] === number - 1;
  const runs = goesOn
    ? [...piece.runs.slice(0, -1), [generation, last[1], number] as const]
    : [...piece.runs, [generation, number, number] as const];
  const combined = combineCrc64(BigInt(`0x${piece.crc}`), crc, length);
  return { ...piece, runs, bytes: piece.bytes + length, crc: combined.toString(16).padStart(16, '0') };
}
