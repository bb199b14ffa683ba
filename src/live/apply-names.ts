import type { App } from '../app/app';
import { makeNames, type Names } from '../convert/names';
import { sinkOf } from '../copy/range-sink';
import type { KeyFinding } from '../migration/rows';
import type { Selection } from '../migration/selection';
import { compareClocks, rangeSides, type RangeSides, type SidesApp } from '../range/range-sides';
import type { JobHold } from '../range/range-job';
import type { Command } from '../redis/redis-port';
import { throwErrors } from '../transfer/by-commands/replies';
import type { ReadKeys } from '../transfer/page-reader';
import { named, splitLater } from '../transfer/range-pages';
import { absentFrom } from '../transfer/side';
import type { Sink } from '../transfer/sink';

/** What became of keys that had changed. */
export interface Applied {
  readonly written: number;
  readonly deleted: number;
  /** Of the keys that are not as they should be on the target; all others are. */
  readonly findings: readonly KeyFinding[];
  /** What reading each key took on the source, ms, in the order of the keys. */
  readonly readMs: readonly number[];
}

/** Awaited before keys are deleted because the source has them no more. Throws where that is not to be believed. */
export type BeforeDeletion = () => Promise<void>;

/** Keys that are looked at together for their type. */
const STREAMS_A_PAGE = 1_000;
/** Clocks drift: their difference is measured again after so long, ms. */
const CLOCK_MS = 60_000;

/** Brings keys of one database that changed on the source to the target: as they are there now, or away. */
export class NameApplier {
  private readonly sides: RangeSides;
  private readonly names: Names;
  private made: { readonly sink: Sink; readonly at: number } | undefined;

  constructor(
    private readonly job: JobHold,
    private readonly app: SidesApp & Pick<App, 'budget'>,
    private readonly selection: Selection,
    private readonly beforeDeletion: BeforeDeletion,
  ) {
    this.sides = rangeSides(job, app);
    this.names = makeNames(job.migration.plan, this.sides.database, []);
  }

  /** Whether a key is the migration's matter. */
  wants(key: Buffer): boolean {
    return this.selection.wants(key, undefined);
  }

  /**
   * Reads keys from the source and writes them to the target; those that are gone are deleted there. Safe to be done again.
   * @throws StoppedError, SourceChangedError, or the error that does not pass
   */
  async apply(keys: readonly Buffer[]): Promise<Applied> {
    const { target } = this.sides;
    const sink = await this.sink();
    const readMs = new Map<Buffer, number>();
    const gone = new Set<Buffer>();
    const findings: KeyFinding[] = [];
    let written = 0;
    for (let open = keys; open.length > 0;) {
      const [page, later] = splitLater(await this.read(open, sink.wantsValues()));
      this.app.budget.correct(0, page.bytes);
      try {
        page.keys.forEach((key, i) => {
          const payload = page.payloads[i];
          const bytes = Buffer.isBuffer(payload) ? payload.length : 0;
          if (bytes > 0) readMs.set(key, (page.micros / 1_000) * (bytes / page.bytes));
          if (payload === 'gone') gone.add(key);
        });
        const goneNow = page.payloads.filter((payload) => payload === 'gone').length;
        const outcome = await sink.write({ page, counts: {}, claims: [], next: undefined, taken: 0 });
        if (outcome.stopped !== undefined) throw outcome.stopped.by;
        const { expired = 0, copied = 0 } = outcome.counts;
        // Some had expired before they were written: what the target had of them is still there. Read again, they are gone.
        const again = expired > goneNow ? page.keys.filter((key) => !gone.has(key)) : [];
        if (again.length === 0) {
          written += copied;
          findings.push(...outcome.findings);
        }
        open = [...later.keys, ...again];
      } finally {
        this.app.budget.give(page.bytes);
      }
    }
    if (gone.size > 0) {
      await this.beforeDeletion();
      this.job.check();
      const commands = Array.from(gone, (key): Command => ['UNLINK', this.names.onTarget(key)]);
      await target.attempt(async () => throwErrors(await target.port.pipeline(commands)));
    }
    return { written, deleted: gone.size, findings, readMs: keys.map((key) => readMs.get(key) ?? 0) };
  }

  /** The names of all streams that have groups. */
  async streamsWithGroups(): Promise<Buffer[]> {
    const { source } = this.sides;
    const found: Buffer[] = [];
    let cursor = 0n;
    do {
      const page = await source.attempt(() => source.reader.scan(cursor, STREAMS_A_PAGE, true));
      cursor = page.next;
      const streams = page.keys.filter((key, i) => page.types[i] === 'stream' && this.wants(key));
      const groups = await source.attempt(() =>
        source.port.pipeline(streams.map((key): Command => ['XINFO', 'GROUPS', key])),
      );
      // One that is gone meanwhile is told by the feed.
      found.push(...streams.filter((_, i) => !Array.isArray(groups[i]) || groups[i].length > 0));
    } while (cursor !== 0n);
    return found;
  }

  private async read(keys: readonly Buffer[], withValues: boolean): Promise<ReadKeys> {
    const { source } = this.sides;
    if (withValues) return await source.attempt(() => source.reader.read(keys));
    const absent = await absentFrom(source, keys);
    const page = named(keys);
    return { ...page, payloads: page.payloads.map((payload, i) => (absent.has(i) ? 'gone' : payload)) };
  }

  private async sink(): Promise<Sink> {
    if (this.made === undefined || performance.now() - this.made.at > CLOCK_MS) {
      const clock = await compareClocks(this.job, this.sides, this.app);
      this.made = { sink: sinkOf(this.job, this.app, this.sides, this.names, clock), at: performance.now() };
    }
    return this.made.sink;
  }
}
