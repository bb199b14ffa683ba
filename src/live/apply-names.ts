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
import { absentFrom, typesOn, unwantedOn } from '../transfer/side';
import type { Sink } from '../transfer/sink';
import { nameOf } from './changed-names';

/** What became of keys that had changed. */
export interface Applied {
  /** Those that were asked for, and others of the source that have the place of one which is gone. */
  readonly keys: readonly Buffer[];
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

interface Written {
  written: number;
  /** By the key as text. */
  readonly findings: Map<string, KeyFinding>;
  /** What reading each key took on the source, ms. */
  readonly readMs: Map<Buffer, number>;
}

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

  /**
   * Reads keys from the source and writes them to the target; what the target has of those that are gone, or are of another type than
   * is wanted, is deleted there, unless another key of the source has the same name on the target: that one is written. Whoever
   * applies keys of the same name on the target must do so one after the other. Safe to be done again.
   * @throws StoppedError, SourceChangedError, or the error that does not pass
   */
  async apply(keys: readonly Buffer[]): Promise<Applied> {
    const sums: Written = { written: 0, findings: new Map(), readMs: new Map() };
    const applied: Buffer[] = [];
    const extra = new Map<string, Buffer>();
    for (let open = keys; open.length > 0;) {
      applied.push(...open);
      const [wanted, others] = await this.sorted(open);
      const gone = [...others, ...(await this.write(wanted, sums))];
      const places = new Map(gone.map((key) => this.names.onTarget(key)).map((name) => [nameOf(name), name]));
      const origins = await this.originsOf([...places.values()]);
      for (const [id, name] of places) if (!origins.has(id)) extra.set(id, name);
      open = [...origins.values()].flat();
    }
    const deleted = await this.delete([...extra.values()]);
    const { written, findings, readMs } = sums;
    return {
      keys: applied,
      written,
      deleted,
      findings: [...findings.values()],
      readMs: keys.map((key) => readMs.get(key) ?? 0),
    };
  }

  /** Keys that are to be read, and those that are of another type than is wanted, or gone. */
  private async sorted(keys: readonly Buffer[]): Promise<readonly [Buffer[], Buffer[]]> {
    if (!this.selection.needsTypes) return [[...keys], []];
    const unwanted = await unwantedOn(this.sides.source, keys, this.selection);
    return [keys.filter((_, i) => !unwanted.has(i)), keys.filter((_, i) => unwanted.has(i))];
  }

  /** Reads keys and writes them. Returns those that are gone. */
  private async write(keys: readonly Buffer[], sums: Written): Promise<Buffer[]> {
    const sink = await this.sink();
    const gone = new Set<Buffer>();
    for (const key of keys) sums.findings.delete(nameOf(key));
    for (let open = keys; open.length > 0;) {
      const [page, later] = splitLater(await this.read(open, sink.wantsValues()));
      this.app.budget.correct(0, page.bytes);
      try {
        page.keys.forEach((key, i) => {
          const payload = page.payloads[i];
          const bytes = Buffer.isBuffer(payload) ? payload.length : 0;
          if (bytes > 0) sums.readMs.set(key, (page.micros / 1_000) * (bytes / page.bytes));
          if (payload === 'gone') gone.add(key);
        });
        const goneNow = page.payloads.filter((payload) => payload === 'gone').length;
        const outcome = await sink.write({ page, counts: {}, claims: [], next: undefined, taken: 0 });
        if (outcome.stopped !== undefined) throw outcome.stopped.by;
        const { expired = 0, copied = 0 } = outcome.counts;
        // Some had expired before they were written: what the target had of them is still there. Read again, they are gone.
        const again = expired > goneNow ? page.keys.filter((key) => !gone.has(key)) : [];
        if (again.length === 0) {
          sums.written += copied;
          for (const finding of outcome.findings) sums.findings.set(nameOf(finding.key), finding);
        }
        open = [...later.keys, ...again];
      } finally {
        this.app.budget.give(page.bytes);
      }
    }
    return [...gone];
  }

  /** For names of the target, the keys of the source that are to have them, by the name as text. */
  private async originsOf(names: readonly Buffer[]): Promise<ReadonlyMap<string, Buffer[]>> {
    const origins = new Map<string, Buffer[]>();
    const asked = names.flatMap((name) => {
      const from = this.names.origins(name).filter((key) => this.selection.mayWant(key));
      // The only one it has was seen to be gone.
      return from.length < 2 ? [] : from.map((key) => ({ name, key }));
    });
    if (asked.length === 0) return origins;
    const keys = asked.map(({ key }) => key);
    const unwanted = await unwantedOn(this.sides.source, keys, this.selection);
    asked.forEach(({ name, key }, i) => {
      if (unwanted.has(i)) return;
      const id = nameOf(name);
      origins.set(id, [...(origins.get(id) ?? []), key]);
    });
    return origins;
  }

  /**
   * Deletes keys of the target. Where types are selected and it had keys before, those of other types are not the migration's. Returns
   * how many.
   */
  private async delete(names: readonly Buffer[]): Promise<number> {
    if (names.length === 0) return 0;
    const { target } = this.sides;
    const mayBeOthers = this.selection.needsTypes && this.job.migration.plan.targetKeysAtStart !== 0;
    const types = mayBeOthers ? await typesOn(target, names) : [];
    const mine = types.length === 0 ? names : names.filter((_, i) => this.selection.wantsType(types[i]));
    await this.beforeDeletion();
    this.job.check();
    const commands = mine.map((name): Command => ['UNLINK', name]);
    await target.attempt(async () => throwErrors(await target.port.pipeline(commands)));
    return mine.length;
  }

  /** The names of all streams that have groups. */
  async streamsWithGroups(): Promise<Buffer[]> {
    const { source } = this.sides;
    const found: Buffer[] = [];
    let cursor = 0n;
    do {
      const page = await source.attempt(() => source.reader.scan(cursor, STREAMS_A_PAGE, true));
      cursor = page.next;
      const streams = page.keys.filter((key, i) => page.types[i] === 'stream' && this.selection.wants(key, 'stream'));
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
