import type { Names } from '../convert/names';
import { addCounts, noCounts } from '../migration/counts';
import type { KeyFinding } from '../migration/rows';
import { isIntact } from '../payload/footer';
import { writeKey, type KeyUse } from '../payload/file-records';
import { Output } from '../payload/output';
import type { Ready, Withheld } from '../payload/payload-gate';
import { NOTHING_LOST } from '../payload/reencode';
import { RedisError } from '../redis/errors';
import type { ChunkBudget } from './by-commands';
import { findingsOfLost } from './lost-words';
import type { ReadKeys } from './page-reader';
import type { Block, PieceWriter, Records } from './piece-writer';
import type { Part } from './range-pages';
import type { InPieces } from './record-in-pieces';
import type { Origin } from './side';
import type { Sink } from './sink';
import { unlessTooLong } from './too-long';

/** A range met keys that may be those of other ranges too, so that some would stand in the file twice. */
export const SHRUNK =
  'The source lost so many keys while it was read that its ranges can no longer be told apart, and a key that stands in a file twice makes it useless. Start again.';

const NOT_IN_FILE =
  'The key was not written: its value is none that servers of the file are certain to read. Give the file a newer "version".';

const DAMAGED = {
  code: 'payload-not-taken',
  message: 'The key was not written: what the source gave of it is damaged.',
} as const;

const MIB = 1_048_576;

/** What writing a part to a file came to. `moved` is to be called when the cursor moves behind the part. */
export type FileWritten = Awaited<ReturnType<Sink['write']>> & { readonly moved: () => void };

/** An RDB file that parts are written to. No key must stand in it twice. */
export class FileSink implements Sink {
  private readonly out = new Output();
  /** Of the page of which parts come. */
  private gathered: Gathered;

  /**
   * @param prepare makes of a payload what servers of the file take for certain
   * @param budget where a key that is read whole takes its size from
   * @param mostBytes of one key that goes whole
   * @param inPieces writes one that is larger; undefined where that cannot be done
   */
  constructor(
    private readonly source: Pick<Origin, 'attempt' | 'readerOfWhole'>,
    private readonly piece: PieceWriter,
    private readonly prepare: (payload: Buffer) => Ready | 'by-commands' | Withheld,
    private readonly names: Pick<Names, 'onTarget'>,
    private readonly budget: ChunkBudget,
    private readonly mostBytes: number,
    private readonly use: 'FREQ' | 'IDLETIME' | undefined,
    private readonly inPieces: KeyInPieces | undefined,
  ) {
    this.gathered = new Gathered(piece);
  }

  wantsValues(): boolean {
    return true;
  }

  async write({ page, counts, next, isShared = false }: Part): Promise<FileWritten> {
    if (isShared) throw new Error(SHRUNK);
    // Before anything is waited for: parts come in their order.
    const { gathered } = this;
    if (next !== undefined) this.gathered = new Gathered(this.piece);
    await this.piece.room();
    const repeated = this.piece.repeatedIn(page.keys);
    const first = this.recordsOf(page, repeated);
    const all = [first];
    if (next === undefined) await gathered.add(first.records);
    for (const key of page.keys.filter((each, i) => page.payloads[i] === 'big' && !repeated.has(each))) {
      const big = await this.bigKey(key);
      await gathered.add(big.records);
      all.push(big);
    }
    return {
      counts: all.reduce((sum, one) => addCounts(sum, one.counts), addCounts(noCounts, counts)),
      findings: all.flatMap((one) => one.findings),
      moved: () => {
        for (const { records } of all) this.piece.append(records);
      },
    };
  }

  private async bigKey(key: Buffer): Promise<PageRecords> {
    const whole = await this.wholeKey(key);
    if (!('isTooLarge' in whole)) return whole;
    const most = `${Math.floor(this.mostBytes / MIB)} MiB`;
    const { inPieces } = this;
    if (inPieces === undefined) {
      return notWritten(key, `it is larger than ${most}, the most that goes at once (KEYFERRY_MEMORY_MIB).`);
    }
    const written = await unlessTooLong(() =>
      inPieces(key, this.names.onTarget(key), whole.use, (block) => this.piece.keepNow(block)),
    );
    if (written instanceof RedisError) return notWritten(key, written.message);
    switch (written.kind) {
      case 'failed':
        return { ...nothing(), counts: { failed: 1 }, findings: [written.finding] };
      case 'expired':
        return { ...nothing(), counts: { expired: 1 } };
      case 'kept': {
        const { blocks, expiry, findings } = written;
        const bytes = blocks.reduce((sum, { length }) => sum + length, 0);
        const records = { content: blocks, keys: [key], expiring: expiry > 0 ? 1 : 0 };
        return { counts: { copied: 1, bytes }, findings, records };
      }
    }
  }

  private async wholeKey(key: Buffer): Promise<PageRecords | TooLarge> {
    const { source, budget, mostBytes } = this;
    let bytes = mostBytes;
    await budget.take(bytes);
    try {
      const page = await unlessTooLong(() => source.attempt(() => source.readerOfWhole.read([key])));
      if (page instanceof RedisError) return { isTooLarge: true, use: undefined };
      budget.correct(bytes, page.bytes);
      bytes = page.bytes;
      if (page.payloads[0] !== 'big') {
        const records = this.recordsOf(page, new Set());
        // What is large is kept before its memory is given back.
        return records.records.content.length < this.piece.blockBytes ? records : await this.kept(records);
      }
      return { isTooLarge: true, use: this.useOf(page, 0) };
    } finally {
      budget.give(bytes);
    }
  }

  private useOf({ uses }: ReadKeys, i: number): KeyUse | undefined {
    const used = uses?.[i] ?? -1;
    return this.use !== undefined && used >= 0 ? { kind: this.use, value: used } : undefined;
  }

  /** The same with the bytes in a block that is kept already. */
  private async kept(page: PageRecords): Promise<PageRecords> {
    const { content } = page.records;
    if (!Buffer.isBuffer(content) || content.length === 0) return page;
    return { ...page, records: { ...page.records, content: [await this.piece.keepNow(content)] } };
  }

  private recordsOf(page: ReadKeys, repeated: ReadonlySet<Buffer>): PageRecords {
    const counts = { copied: 0, expired: 0, failed: 0, bytes: 0, repeats: 0 };
    const findings: KeyFinding[] = [];
    const keys: Buffer[] = [];
    let expiring = 0;
    const { out } = this;
    out.clear();
    page.keys.forEach((key, i) => {
      if (repeated.has(key)) {
        counts.repeats++;
        return;
      }
      const payload = page.payloads[i];
      if (payload === 'big') return;
      if (!Buffer.isBuffer(payload)) {
        counts.expired++;
        return;
      }
      // Without its footer nothing would tell any more that it is damaged.
      const ready = isIntact(payload) ? this.prepare(payload) : DAMAGED;
      if (ready === 'by-commands' || !('payload' in ready)) {
        counts.failed++;
        const finding =
          ready === 'by-commands' ? ({ code: 'payload-not-taken', message: NOT_IN_FILE } as const) : ready;
        findings.push({ key, code: finding.code, message: finding.message });
        return;
      }
      const expiry = page.expiries[i] ?? 0;
      writeKey(out, this.names.onTarget(key), expiry, ready.payload, this.useOf(page, i));
      counts.copied++;
      counts.bytes += ready.payload.length;
      if (expiry > 0) expiring++;
      keys.push(key);
      if (ready.lost !== NOTHING_LOST) findings.push(...findingsOfLost(key, ready.lost));
    });
    return { counts, findings, records: { content: out.copy(), keys, expiring } };
  }
}

/**
 * Gathers the records of one page until they are worth a block of their own: what is large must not wait in memory until all of the page is
 * done, and of blocks there may be so many only. What is never worth one stays as it is.
 */
class Gathered {
  private waiting: Gatherable[] = [];
  private bytes = 0;

  constructor(private readonly piece: Pick<PieceWriter, 'blockBytes' | 'keepNow'>) {}

  /** Throws what a block could not be kept for. */
  async add(records: Gatherable): Promise<void> {
    const { content } = records;
    if (!Buffer.isBuffer(content) || content.length === 0) return;
    this.waiting.push(records);
    this.bytes += content.length;
    if (this.bytes < this.piece.blockBytes) return;
    const { waiting } = this;
    this.waiting = [];
    this.bytes = 0;
    const parts = waiting.flatMap((each) => (Buffer.isBuffer(each.content) ? [each.content] : []));
    const block = await this.piece.keepNow(Buffer.concat(parts));
    waiting.forEach((each, i) => {
      each.content = i === 0 ? [block] : [];
    });
  }
}

/** Records whose bytes may come to be in a block that is kept already: of those that share one, the first has it. */
interface Gatherable extends Omit<Records, 'content'> {
  content: Records['content'];
}

interface PageRecords {
  readonly counts: Parameters<typeof addCounts>[1];
  readonly findings: readonly KeyFinding[];
  readonly records: Gatherable;
}

function nothing(): PageRecords {
  return { counts: {}, findings: [], records: { content: Buffer.alloc(0), keys: [], expiring: 0 } };
}

/** A key that does not go whole. */
interface TooLarge {
  readonly isTooLarge: true;
  readonly use: KeyUse | undefined;
}

/** Writes a key's record in pieces. Throws `replyTooLong` besides, where a connection of its own is lost for what is read. */
export type KeyInPieces = (
  key: Buffer,
  name: Buffer,
  use: KeyUse | undefined,
  keep: (bytes: Buffer) => Promise<Block>,
) => Promise<InPieces>;

function notWritten(key: Buffer, why: string): PageRecords {
  const finding = { key, code: 'too-large', message: `The key was not written: ${why}` } as const;
  return { ...nothing(), counts: { failed: 1 }, findings: [finding] };
}
