import type { App } from '../app/app';
import { comparisonOf } from '../compare/comparison-of';
import { lookAtPage } from '../compare/first-look';
import type { Converter } from '../convert/converter';
import { makeConverters } from '../convert/make-converters';
import { makeNames, type Names } from '../convert/names';
import { sinkOf } from '../copy/range-sink';
import type { KeyFinding } from '../migration/rows';
import { makeSelection, type Selection } from '../migration/selection';
import { pause } from '../migration/stop';
import { compareClocks, rangeSides, type RangeSides, type SidesApp } from '../range/range-sides';
import type { JobHold } from '../range/range-job';
import type { Command } from '../redis/redis-port';
import { throwErrors } from '../transfer/by-commands/replies';
import type { ReadKeys } from '../transfer/page-reader';
import { named, splitLater } from '../transfer/range-pages';
import { sortByConverter } from '../transfer/sort-by-converter';
import { absentFrom, typesOn, unwantedOn } from '../transfer/side';
import type { Sink } from '../transfer/sink';
import type { AppliedKey } from './applied-sample';
import { nameOf } from './changed-names';
import { readTimes, TimedSource } from './read-times';
import { relatedTo } from './related-keys';

/** What became of keys that had changed. */
export interface Applied {
  /** Those that were asked for, and others of the source that have the place of one which is gone. */
  readonly keys: readonly Buffer[];
  readonly written: number;
  readonly deleted: number;
  /** Of the keys that are not as they should be on the target; all others are. */
  readonly findings: readonly KeyFinding[];
  /** Of the keys, by their names as text, whether each is there: those that the source and the target have under one name, and in one form. */
  readonly asTheyAre: ReadonlyMap<string, boolean>;
  /** What reading each key took on the source, ms, in the order of the keys. */
  readonly readMs: readonly number[];
}

/** Awaited before keys are deleted because the source has them no more. Throws where that is not to be believed. */
export type BeforeDeletion = () => Promise<void>;

/** Keys that are looked at together for their type. */
const STREAMS_A_PAGE = 1_000;
/** Clocks drift: their difference is measured again after so long, ms. */
const CLOCK_MS = 60_000;
/** What had expired on the target is gone from the source a moment later, where the clocks were measured well. Looked at again after, ms. */
const LATER_MS = 100;
/** So often, the clocks measured anew each time, before the keys are given back. */
const MOST_LOOKS = 5;

interface Written {
  written: number;
  /** By the key as text. */
  readonly findings: Map<string, KeyFinding>;
  readonly asTheyAre: Map<string, boolean>;
  /** What reading each key took on the source, ms; by the key as text. */
  readonly readMs: Map<string, number>;
}

/** Brings keys of one database that changed on the source to the target: as they are there now, or away. */
export class NameApplier {
  private readonly sides: RangeSides;
  private readonly names: Names;
  private readonly selection: Selection;
  private readonly converters: readonly Converter[];
  /** Several keys may have the same name on the target. */
  private readonly mayShareNames: boolean;
  private made: { readonly sink: Sink; readonly at: number } | undefined;

  constructor(
    private readonly job: JobHold,
    private readonly app: SidesApp & Pick<App, 'budget'>,
    private readonly beforeDeletion: BeforeDeletion,
  ) {
    const { plan } = job.migration;
    this.sides = rangeSides(job, app);
    this.selection = makeSelection(plan.request.select);
    this.converters = makeConverters(plan);
    this.mayShareNames = plan.request.rename.length > 0;
    this.names = makeNames(plan, this.sides.database, []);
  }

  /**
   * Reads keys from the source, with all that belong to them, and writes what becomes of them to the target. What the target has of
   * those that are gone, or are of another type than is wanted, is deleted there, unless another key of the source has the same name
   * on the target: that one is written. Whoever applies keys of the same place must do so one after the other. Safe to be done again.
   * @throws StoppedError, SourceChangedError, or the error that does not pass
   */
  async apply(keys: readonly Buffer[]): Promise<Applied> {
    const sums: Written = { written: 0, findings: new Map(), asTheyAre: new Map(), readMs: new Map() };
    const applied: Buffer[] = [];
    const extra = new Map<string, Buffer>();
    for (let open = keys; open.length > 0;) {
      const all = relatedTo(open, this.converters);
      applied.push(...all);
      const places = await this.bring(all, sums);
      const origins = await this.originsOf(places);
      for (const place of places) if (!origins.has(nameOf(place))) extra.set(nameOf(place), place);
      open = [...origins.values()].flat();
    }
    const deleted = await this.delete([...extra.values()]);
    const { written, findings, asTheyAre, readMs } = sums;
    return {
      keys: applied,
      written,
      deleted,
      findings: [...findings.values()],
      asTheyAre,
      readMs: keys.map((key) => readMs.get(nameOf(key)) ?? 0),
    };
  }

  /** Brings what is there of keys to the target. Returns all names there under which nothing of them is to be. */
  private async bring(keys: readonly Buffer[], sums: Written): Promise<Buffer[]> {
    const { source } = this.sides;
    for (const key of keys) sums.findings.delete(nameOf(key));
    const selected = keys.filter((key) => this.selection.mayWant(key));
    const unwanted = this.selection.needsTypes ? await unwantedOn(source, selected, this.selection) : new Set();
    const [plain, made] = await this.convert(
      selected.filter((_, i) => !unwanted.has(i)),
      sums,
    );
    const gone = new Set(await this.write(plain, sums));
    for (const key of plain) if (this.isAsItIs(key)) sums.asTheyAre.set(nameOf(key), !gone.has(key));
    const taken = [...plain.filter((key) => !gone.has(key)), ...made].map((key) => nameOf(this.names.onTarget(key)));
    const isTaken = new Set(taken);
    const untaken = keys.filter((key) => this.mayBeMade(key) && !isTaken.has(nameOf(this.names.onTarget(key))));
    // Converted keys that are there in both forms: the old one on the target was never of this migration's making.
    const hadKeys = this.converters.length > 0 && this.job.migration.plan.targetKeysAtStart !== 0;
    const absent = hadKeys ? await absentFrom(source, untaken) : undefined;
    return untaken.filter((_, i) => absent?.has(i) !== false).map((key) => this.names.onTarget(key));
  }

  /** Whether nothing but a key itself decides what the target has under its name. */
  private isAsItIs(key: Buffer): boolean {
    return !this.mayShareNames && this.converters.every((converter) => converter.family(key) === undefined);
  }

  /** Whether something may be on the target under the name of a key: as it is, or made of one that is selected. */
  private mayBeMade(key: Buffer): boolean {
    if (this.selection.mayWant(key)) return true;
    return this.converters.some((converter) => converter.namesBefore(key).some((one) => this.selection.mayWant(one)));
  }

  /** Has converters write what they make of keys. Returns the keys that are to be written as they are, and the names of what was made. */
  private async convert(
    keys: readonly Buffer[],
    sums: Written,
  ): Promise<readonly [readonly Buffer[], readonly Buffer[]]> {
    if (this.converters.length === 0) return [keys, []];
    const { source } = this.sides;
    for (let [looks, fewest] = [0, Number.POSITIVE_INFINITY]; ;) {
      const sink = await this.sink();
      const timed = new TimedSource(source.port);
      const { claims, plain, bytes } = await source.attempt(() => sortByConverter(timed.source, this.converters, keys));
      this.app.budget.correct(0, bytes);
      for (const [name, ms] of readTimes(claims, keys, timed.ms)) sums.readMs.set(name, ms);
      try {
        const outcome = await sink.write({ page: named([]), counts: {}, claims, next: undefined, taken: 0 });
        const { converted = 0, expired = 0 } = outcome.counts;
        if (expired === 0) {
          sums.written += converted;
          for (const finding of outcome.findings) sums.findings.set(nameOf(finding.key), finding);
          const made = claims.flatMap(({ converter, groups }) => groups.flatMap((group) => converter.namesMade(group)));
          return [plain, made];
        }
      } finally {
        this.app.budget.give(bytes);
      }
      // What the target had of those is still there. Read again, they are gone.
      const left = claims.reduce((sum, { groups }) => sum + groups.length, 0);
      if (left >= fewest) await this.clocksAnew(++looks);
      fewest = Math.min(fewest, left);
    }
  }

  /** Reads keys and writes them. Returns those that are gone. */
  private async write(keys: readonly Buffer[], sums: Written): Promise<Buffer[]> {
    const gone = new Set<Buffer>();
    // In a row, rounds in which keys had expired that were not gone in the next one.
    let alive = 0;
    for (let open = keys; open.length > 0;) {
      const sink = await this.sink();
      const [page, later] = splitLater(await this.read(open, sink.wantsValues()));
      this.app.budget.correct(0, page.bytes);
      try {
        page.keys.forEach((key, i) => {
          const payload = page.payloads[i];
          const bytes = Buffer.isBuffer(payload) ? payload.length : 0;
          if (bytes > 0) sums.readMs.set(nameOf(key), (page.micros / 1_000) * (bytes / page.bytes));
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
        alive = again.length === 0 || goneNow > 0 ? 0 : alive + 1;
      } finally {
        this.app.budget.give(page.bytes);
      }
      if (alive > 1) await this.clocksAnew(alive - 1);
    }
    return [...gone];
  }

  /** For names of the target, the keys of the source that are to have them, by the name as text. */
  private async originsOf(names: readonly Buffer[]): Promise<ReadonlyMap<string, Buffer[]>> {
    const origins = new Map<string, Buffer[]>();
    if (!this.mayShareNames) return origins;
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
   * Deletes those keys that the target has. Where types are selected and it had keys before, those of other types are not the
   * migration's. Returns how many were there.
   */
  private async delete(names: readonly Buffer[]): Promise<number> {
    if (names.length === 0) return 0;
    const { target } = this.sides;
    const mayBeOthers = this.selection.needsTypes && this.job.migration.plan.targetKeysAtStart !== 0;
    const types = mayBeOthers ? await typesOn(target, names) : undefined;
    const absent = types === undefined ? await absentFrom(target, names) : undefined;
    // Of a key that is gone the type is "none", which nobody selects.
    const mine = names.filter((_, i) => absent?.has(i) !== true && (!types || this.selection.wantsType(types[i])));
    if (mine.length === 0) return 0;
    const commands = mine.map((name): Command => ['UNLINK', name]);
    let tries = 0;
    const replies = await target.attempt(async () => {
      await this.beforeDeletion();
      this.job.check();
      tries++;
      return throwErrors(await target.port.pipeline(commands));
    });
    // Where an answer was lost, what was there before has gone by what it was the answer to.
    return tries > 1 ? mine.length : replies.filter((reply) => reply === 1).length;
  }

  /**
   * The places of keys that the source has in another form than was applied, or has no more, or again. Those that the target has lost are
   * not among them, nor streams: their groups change without being told. Throws as `apply` does.
   */
  async differing(keys: readonly Pick<AppliedKey, 'key' | 'isThere'>[]): Promise<ReadonlySet<number>> {
    const { source, target } = this.sides;
    const pairs = keys.map(({ key }) => ({ source: key, target: this.names.onTarget(key) }));
    const clock = await compareClocks(this.job, this.sides, this.app);
    const look = await lookAtPage(
      pairs,
      undefined,
      comparisonOf(this.job, this.app, { source, target }, clock, 'full'),
    );
    const gone = new Set(look.gone);
    const back = keys.map((_, place) => place).filter((place) => keys[place]?.isThere === false && !gone.has(place));
    const others = [...look.different, ...look.gone].filter((place) => keys[place]?.isThere === true);
    const types = await typesOn(
      target,
      others.flatMap((place) => pairs[place]?.target ?? []),
    );
    return new Set([...back, ...others.filter((_, i) => types[i] !== 'none' && types[i] !== 'stream')]);
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
    source.end?.();
    return found;
  }

  private async read(keys: readonly Buffer[], withValues: boolean): Promise<ReadKeys> {
    const { source } = this.sides;
    if (withValues) return await source.attempt(() => source.reader.read(keys));
    const absent = await absentFrom(source, keys);
    const page = named(keys);
    return { ...page, payloads: page.payloads.map((payload, i) => (absent.has(i) ? 'gone' : payload)) };
  }

  /**
   * Keys had expired when they were written, and the source still has them: a clock was set since it was measured, or it is a matter
   * of milliseconds.
   * @throws Error where that has been so too often, StoppedError
   */
  private async clocksAnew(looks: number): Promise<void> {
    if (looks > MOST_LOOKS) {
      throw new Error(
        'Keys had expired on the target that the source still has: the clock of one of them may have been set.',
      );
    }
    await pause(LATER_MS, this.job);
    await this.makeSink(true);
  }

  private async sink(): Promise<Sink> {
    if (this.made === undefined || performance.now() - this.made.at > CLOCK_MS) return await this.makeSink();
    return this.made.sink;
  }

  private async makeSink(anew = false): Promise<Sink> {
    const clock = await compareClocks(this.job, this.sides, this.app, anew);
    const sink = sinkOf(this.job, this.app, this.sides, this.names, clock);
    this.made = { sink, at: performance.now() };
    return sink;
  }
}
