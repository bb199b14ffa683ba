import { addCounts, noCounts, type Counts } from '../migration/counts';
import type { KeyFinding } from '../migration/rows';
import { RedisError } from '../redis/errors';
import type { ChunkBudget } from './by-commands';
import type { PayloadWriter } from './payload-writer';
import type { Written } from './redis-sink';
import type { Origin } from './side';
import { unlessTooLong } from './too-long';

const MIB = 1_048_576;

/** Copies large keys that cannot go in pieces, modules' above all: each whole, by its payload, as far as the memory allows. */
export class WholeCopier {
  /**
   * @param source its reader of whole keys reads those of up to `mostBytes`, and names larger ones "big"
   * @param sizeOf what a key takes about, bytes; undefined where that is not known
   * @param payloads over connections that nobody else uses
   * @param budget where each key takes its size from
   */
  constructor(
    private readonly source: Pick<Origin, 'attempt' | 'readerOfWhole'>,
    private readonly sizeOf: (key: Buffer) => Promise<number | undefined>,
    private readonly payloads: Pick<PayloadWriter, 'write'>,
    private readonly budget: ChunkBudget,
    private readonly mostBytes: number,
    /** Whether a key can be asked for. */
    readonly knows: (key: Buffer) => boolean = () => true,
  ) {}

  /**
   * Copies keys, one after the other.
   * @param pieces why each cannot go in pieces
   * @throws RedisError that will not pass, StoppedError
   */
  async copy(pieces: readonly KeyFinding[]): Promise<Written & { readonly sent: number }> {
    let counts: Counts = noCounts;
    const findings: KeyFinding[] = [];
    const taken: Buffer[] = [];
    let sent = 0;
    for (const piece of pieces) {
      const one = await this.copyOne(piece);
      counts = addCounts(counts, one.counts);
      findings.push(...one.findings);
      taken.push(...one.taken);
      sent = Math.max(sent, one.sent);
    }
    return { counts, findings, taken, sent };
  }

  private async copyOne({ key, code, message }: KeyFinding): Promise<Written & { readonly sent: number }> {
    const { source, budget, mostBytes } = this;
    const failed = (finding: KeyFinding) => ({ counts: { failed: 1 }, findings: [finding], taken: [], sent: 0 });
    const tooLarge = (why: string) =>
      failed({ key, code: 'too-large', message: `The key was not copied: ${message.replace(/\.$/, '')}, and ${why}` });
    let bytes = Math.min(mostBytes, (await this.sizeOf(key)) ?? mostBytes);
    await budget.take(bytes);
    try {
      const page = await unlessTooLong(() => source.attempt(() => source.readerOfWhole.read([key])));
      if (page instanceof RedisError) return tooLarge(page.message);
      budget.correct(bytes, page.bytes);
      bytes = page.bytes;
      if (page.payloads[0] === 'big') {
        const most = `${Math.floor(mostBytes / MIB)} MiB`;
        return tooLarge(`it is larger than ${most}, the most that goes at once (KEYFERRY_MEMORY_MIB).`);
      }
      const written = await unlessTooLong(() => this.payloads.write(page));
      if (written instanceof RedisError) return tooLarge(written.message);
      const [tooLong] = written.tooLong;
      if (tooLong !== undefined) return tooLarge(tooLong.error.message);
      return written.refused.length === 0 ? written : failed({ key, code, message });
    } finally {
      budget.give(bytes);
    }
  }
}
