import { inParallel } from '../basics/in-parallel';
import type { FindingBatches, Teller } from '../ledger/finding-batches';
import { MARK_BYTES } from '../ledger/finding-batches';
import type { Finding, FindingRun } from '../migration/rows';
import { markOf } from './former-findings';

/** A batch has no more findings, nor bytes of keys and messages, nor marks. */
const FINDINGS_A_BATCH = 1_000;
const BYTES_A_BATCH = 256 * 1_024;
const MARKS_A_BATCH = 40_000;
/** What one finding takes beside its key and its message. */
const BYTES_BESIDE = 64;

/** How many batches are written at once. */
const PARALLEL = 4;

/** Findings to be counted: those that are kept in full, and the keys of all, as findings have them, where they are to be marked. */
export interface Told {
  readonly kept: readonly Finding[];
  readonly keys: readonly Buffer[];
}

interface Batch {
  write(): Promise<void>;
}

/**
 * The findings that a worker tells of its range, on their way into batches. A batch that was begun to be written stays as it is: should the
 * write seem to fail and come through later, it does no harm.
 */
export class ToldFindings {
  private open: Finding[] = [];
  private openBytes = 0;
  private openMarks: Buffer[] = [];
  private told = 0;
  private marked = 0;
  private readonly closed: Batch[] = [];
  private writing: Promise<void> = Promise.resolve();

  /** @param isMarked whether a later walk may find the same keys, and must know them */
  constructor(
    private readonly teller: Teller,
    private readonly batches: Pick<FindingBatches, 'put' | 'putMarks'>,
    readonly isMarked: boolean,
  ) {}

  /** What the range's row says of them; undefined where there are none. */
  get run(): FindingRun | undefined {
    return this.told + this.marked === 0 ? undefined : [this.teller.generation, this.told, this.marked];
  }

  /** Whether enough wait to be written, whatever the row does. */
  get isDue(): boolean {
    return this.closed.length > 0;
  }

  /** Takes what the row counts from its next write on. */
  add({ kept, keys }: Told): void {
    for (const finding of kept) {
      const bytes = finding.key.length + finding.message.length + BYTES_BESIDE;
      if (this.open.length >= FINDINGS_A_BATCH || this.openBytes + bytes > BYTES_A_BATCH) this.closeFindings();
      this.open.push(finding);
      this.openBytes += bytes;
      this.told++;
    }
    for (const key of keys) {
      if (this.openMarks.length >= MARKS_A_BATCH) this.closeMarks();
      this.openMarks.push(markOf(key));
      this.marked++;
    }
  }

  /** Writes all that was taken. Throws what storage throws, and writes the rest when it is called again. */
  async flush(): Promise<void> {
    this.closeFindings();
    this.closeMarks();
    this.writing = this.writing.catch(() => undefined).then(() => this.writeClosed());
    await this.writing;
  }

  private async writeClosed(): Promise<void> {
    const batches = this.closed.slice();
    await inParallel(batches, PARALLEL, async (batch) => {
      await batch.write();
      this.closed.splice(this.closed.indexOf(batch), 1);
    });
  }

  private closeFindings(): void {
    if (this.open.length === 0) return;
    const findings = this.open;
    const first = this.told - findings.length;
    this.open = [];
    this.openBytes = 0;
    this.closed.push({ write: () => this.batches.put(this.teller, first, findings) });
  }

  private closeMarks(): void {
    if (this.openMarks.length === 0) return;
    const marks = Buffer.concat(this.openMarks);
    const first = this.marked - marks.length / MARK_BYTES;
    this.openMarks = [];
    this.closed.push({ write: () => this.batches.putMarks(this.teller, first, marks) });
  }
}
