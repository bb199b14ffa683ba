import { freeBuffers } from '../basics/free-buffers';
import { addCounts, noCounts, type Counts } from '../migration/counts';
import type { KeyFinding } from '../migration/rows';
import type { Copied } from './command-copier';
import type { ConversionWriter } from './conversion-writer';
import type { ReadKeys } from './page-reader';
import { NothingSentError, type PayloadWriter } from './payload-writer';
import type { Part } from './range-pages';
import type { WholeCopier } from './whole-copier';
import type { Sink, SinkOutcome } from './sink';

/** What became of keys, and what there is to say of them. */
export interface Written {
  readonly counts: Partial<Counts>;
  readonly findings: readonly KeyFinding[];
  /** Keys of the source whose names the target had. */
  readonly taken: readonly Buffer[];
}

/** What tells whether keys that the target had are the migration's own. */
export interface OwnKeys {
  /** The migration may have written keys of the range that are in no count. */
  readonly mayHaveWritten: boolean;
  /**
   * How many of these keys are on the target just as they are on the source.
   * @param page as they were read
   */
  countEqual(keys: readonly Buffer[], page: ReadKeys): Promise<number>;
}

/** After a page of which nothing was taken, the values of one are not read, then of twice as many each time, of so many at most. */
const MOST_UNREAD = 64;

/** Copies keys in another way than by their payloads. */
export interface CopiesKeys {
  /** @param tooLong those of them whose payloads the target does not take at once */
  copy(keys: readonly Buffer[], tooLong: ReadonlySet<Buffer>): Promise<Copied>;
}

/** never: no payload would go, and every key is copied by commands. always: there is no other way for a key than by its payload. */
export type ReadsValues = 'never' | 'whileTaken' | 'always';

/**
 * One database of a Redis that parts are written to: what RESTORE does not take goes by commands or is a finding, what the target
 * cannot take now waits. Safe to be given a part that was written before.
 */
export class RedisSink implements Sink {
  /** Pages whose values are not worth being read: of the page before none was taken. */
  private unread = 0;
  private nextUnread = 1;

  /**
   * @param whole for keys that cannot go in pieces; undefined where no payload would go
   * @param reads whether values are read with pages
   * @param letsGo true where payloads are of nothing else: large ones are empty when they are written
   */
  constructor(
    private readonly payloads: PayloadWriter,
    private readonly commands: CopiesKeys,
    private readonly conversions: ConversionWriter,
    private readonly own: OwnKeys,
    private readonly whole: WholeCopier | undefined,
    private readonly reads: ReadsValues,
    private readonly letsGo: boolean,
  ) {}

  wantsValues(): boolean {
    return this.reads === 'always' || (this.reads === 'whileTaken' && this.unread === 0);
  }

  async write({ page, claims, counts }: Part): Promise<SinkOutcome> {
    const restored = await this.payloads.write(page).catch((error: unknown) => {
      // Of keys that a converter has read it cannot be told here which they are.
      if (error instanceof NothingSentError && claims.length === 0) return error;
      throw error;
    });
    if (restored instanceof NothingSentError) {
      return { counts, findings: [], presumed: 0, stopped: { by: restored, before: page.keys } };
    }
    const { refused, sent } = restored;
    const tooLong = restored.tooLong.map(({ key }) => key);
    this.judge(page.payloads.filter((payload) => Buffer.isBuffer(payload)).length, refused.length);
    const converted = await this.conversions.write(claims);
    const big = page.keys.filter((_, i) => page.payloads[i] === 'big');
    const copied = await this.commands.copy([...big, ...refused, ...tooLong], new Set(tooLong));
    const [isBig, isTooLong] = [new Set(big), new Set(tooLong)];
    // What was refused as a payload would be refused again. What is big goes in pieces where it can, and for want of a right in no other
    // way; what seems too long for the target may only have lost its connection.
    const goesWhole = ({ key, code }: KeyFinding) =>
      this.whole?.knows(key) === true && (isTooLong.has(key) || (isBig.has(key) && code !== 'command-refused'));
    const whole = await this.whole?.copy(copied.uncarried.filter(goesWhole));
    const whyTooLong = new Map(restored.tooLong.map(({ key, error }) => [key, error.message]));
    const lost = copied.uncarried
      .filter((finding) => !goesWhole(finding))
      .map((finding): KeyFinding => {
        const why = whyTooLong.get(finding.key);
        if (this.reads !== 'always' || why === undefined) return finding;
        return { key: finding.key, code: 'too-large', message: `The key was not copied: ${why}` };
      });
    // Keys that the migration wrote itself, before a crash or on a connection that was lost, are no conflicts.
    const taken = [...restored.taken, ...copied.taken, ...(whole?.taken ?? [])];
    const mayBeOwn = taken.length > 0 && (this.own.mayHaveWritten || sent > 1 || (whole?.sent ?? 0) > 1);
    const own = mayBeOwn ? await this.own.countEqual(taken, page) : 0;
    if (this.letsGo) freeBuffers(page.payloads);
    const all = [
      { counts },
      restored,
      copied,
      converted,
      ...(whole === undefined ? [] : [whole]),
      { counts: { failed: lost.length } },
      { counts: { copied: own, skippedByConflict: taken.length - own } },
    ];
    return {
      counts: all.reduce((sum: Counts, one) => addCounts(sum, one.counts), noCounts),
      findings: [restored, copied, converted, whole].flatMap((one) => one?.findings ?? []).concat(lost),
      presumed: own + copied.presumed,
      ...(copied.stopped && { stopped: copied.stopped }),
    };
  }

  /** A target that takes none of a page's payloads will most likely not take the next page's either. */
  private judge(payloads: number, refused: number): void {
    if (payloads === 0) this.unread = Math.max(0, this.unread - 1);
    else if (refused < payloads) [this.unread, this.nextUnread] = [0, 1];
    else [this.unread, this.nextUnread] = [this.nextUnread, Math.min(MOST_UNREAD, 2 * this.nextUnread)];
  }
}
