import { isDeepStrictEqual } from 'node:util';
import type { App } from '../app/app';
import { comparisonOf } from '../compare/comparison-of';
import { examine, type Pair } from '../compare/examine';
import { FileValues } from '../compare/file-values';
import type { Names } from '../convert/names';
import { pause } from '../migration/stop';
import { apartFromSource } from '../migration/same-server';
import { connectionOf } from '../migration/side-spec';
import type { KeyedPort } from '../redis/redis-port';
import { governedPort } from '../transfer/governed';
import { payloadGateOf } from '../migration/transport';
import { NOT_READ } from '../payload/payload-gate';
import { useCarried } from '../migration/use-kind';
import type { JobHold } from '../range/range-job';
import type { FileSides } from '../range/file-origin';
import type { Step } from '../range/page-place';
import { attemptOn, type RangeSides, type SidesApp } from '../range/range-sides';
import { chunkBytesOf } from '../range/range-shape';
import { timedWrites } from '../range/timed';
import { keyPlaceSchema, type KeyPlace, type PlaceKeeper } from '../transfer/by-commands';
import { abilitiesOf } from '../transfer/by-commands/abilities-of';
import type { ClockOffset } from '../transfer/clock-offset';
import { CommandCopier, type Copied, type CopierOptions, type CopyAlone } from '../transfer/command-copier';
import { ConversionWriter } from '../transfer/conversion-writer';
import { answersFor, FILE_PORT } from '../transfer/file-port';
import { Hindrance } from '../transfer/hindrance';
import { named } from '../transfer/range-pages';
import type { ReadKeys } from '../transfer/page-reader';
import { PageWriter } from '../transfer/page-writer';
import { PayloadWriter } from '../transfer/payload-writer';
import { RedisSink, type OwnKeys } from '../transfer/redis-sink';
import { convertSourceOf, writingPort, type Attempt, type Origin, type Side } from '../transfer/side';
import type { Sink } from '../transfer/sink';
import { WholeCopier } from '../transfer/whole-copier';

/** The target's database of a range, as parts of a server's keys are written to it. */
export function sinkOf(
  job: JobHold,
  app: SidesApp & Pick<App, 'budget'>,
  sides: RangeSides,
  names: Names,
  clock: ClockOffset,
): Sink {
  const { plan } = job.migration;
  const { source, target } = sides;
  const hindrance = hindranceOf(job);
  const onBoth = attemptOn(job, source.guard, target.guard);
  const own = {
    mayHaveWritten: job.mayHaveWritten,
    countEqual: async (keys: readonly Buffer[]) => {
      const pairs = keys.map((key): Pair => ({ source: key, target: names.onTarget(key) }));
      const found = await examine(pairs, comparisonOf(job, app, sides, clock, 'full'));
      return found.filter((each) => each === 'same').length;
    },
  };
  const payloads = payloadsOf(job, app, sides, names, clock, hindrance);

  const options = copierOptions(job, app, clock);
  const begin = () => job.beginTemporaryKeys();
  const alone: CopyAlone = (copy) =>
    source.onOwn('replyTooLong', 'asked', ({ connection: from }) =>
      target.onOwn('valueTooLong', 'asked', ({ connection: to }) => copy(governedPort(from, job.governor), to)),
    );
  const commands = new CommandCopier(sides, names, options, own, begin, onBoth, alone, hindrance, job);
  const conversions = conversionsOf(job, sides, names, clock, onBoth, hindrance);
  const sizeOf = async (key: Buffer) => {
    const [size] = await source.attempt(() => source.port.pipeline([['MEMORY', 'USAGE', key]]));
    return typeof size === 'number' ? size : undefined;
  };
  const goesWhole = plan.source.abilities.dump && plan.target.abilities.restore;
  const whole = goesWhole ? wholeOf(job, source, sizeOf, payloads, app) : undefined;
  const reads = plan.transport === 'commands' ? 'never' : 'whileTaken';
  return new RedisSink(payloads.shared, commands, conversions, own, whole, reads, true);
}

/** The same for a file's keys: each goes whole, or by ordinary commands where it is too large for that, or becomes a finding. */
export function sinkOfFile(job: JobHold, app: SidesApp & Pick<App, 'budget'>, sides: FileSides, names: Names): Sink {
  const { source, target, clock } = sides;
  const { plan } = job.migration;
  const hindrance = hindranceOf(job);
  const payloads = payloadsOf(job, app, sides, names, clock, hindrance);
  const isKnown = (key: Buffer) => source.largeOf(key) !== undefined;
  const whole = wholeOf(job, source, (key) => Promise.resolve(source.largeOf(key)?.bytes), payloads, app, isKnown);
  const conversions = conversionsOf(job, sides, names, clock, attemptOn(job, target.guard), hindrance);
  const values = new FileValues(source, () => clock.targetNow(), app, job, job.place.notes('print'));
  const own: OwnKeys = {
    mayHaveWritten: job.mayHaveWritten,
    countEqual: async (keys, page) => {
      const taken = new Set(keys);
      const pairs = await values.pairs(page, names, (key) => taken.has(key));
      const found = await examine(pairs, comparisonOf(job, app, sides, clock, 'full'));
      return found.filter((each) => each === 'same').length;
    },
  };
  const onTarget = attemptOn(job, target.guard);
  const alone: CopyAlone = (copy) =>
    target.onOwn('valueTooLong', 'asked', ({ connection }) => copy(source.port, connection));
  const options: CopierOptions = {
    ...copierOptions(job, app, clock),
    source: FILE_PORT,
    sourceIsStill: true,
    oneByOne: plan.source.file?.packedBytes !== undefined,
    release: (key) => {
      source.release(key);
    },
  };
  const begin = () => job.beginTemporaryKeys();
  const ownLarge = { countEqual: (keys: readonly Buffer[]) => own.countEqual(keys, named(keys)) };
  const pieces = new CommandCopier(sides, names, options, ownLarge, begin, onTarget, alone, hindrance, job);
  const copy = async (keys: readonly Buffer[], tooLong: ReadonlySet<Buffer>): Promise<Copied> => {
    const goesInPieces = (key: Buffer) => {
      const large = source.largeOf(key);
      if (large === undefined || !answersFor(large.type)) return false;
      return tooLong.has(key) || large.bytes > app.settings.bytesInFlight;
    };
    const copied = await pieces.copy(keys.filter(goesInPieces));
    const others = await notInPieces(keys.filter((key) => !goesInPieces(key)));
    return { ...copied, uncarried: [...copied.uncarried, ...others.uncarried] };
  };
  return new RedisSink(payloads.shared, { copy }, conversions, own, whole, 'always', false);
}

function notInPieces(keys: readonly Buffer[]): Promise<Copied> {
  const uncarried = keys.map((key) => ({ key, ...NOT_READ }));
  return Promise.resolve({ counts: {}, findings: [], taken: [], uncarried, presumed: 0 });
}

/** The place of a copy that is noted. One that is not as it was stored is none: the key is begun anew. */
function placeIn(noted: unknown): KeyPlace | undefined {
  return keyPlaceSchema.optional().catch(undefined).parse(noted);
}

/** What a place says of a copy, beside the place before. */
function stepTo(place: KeyPlace, noted: unknown): Step {
  const before = placeIn(noted);
  if (place.attempt > (before?.attempt ?? 0)) return 'otherwise';
  if (place.build === undefined) return 'anew';
  return isDeepStrictEqual(place.build.body, before?.build?.body) ? 'same' : 'further';
}

/** How keys go by ordinary commands. */
function copierOptions(
  job: JobHold,
  app: Pick<App, 'budget'>,
  { targetMinusSource: clockOffsetMs }: ClockOffset,
): CopierOptions {
  const { plan } = job.migration;
  const places = job.place.notes('copy');
  const placeOf = (key: Buffer): PlaceKeeper => ({
    get: () => placeIn(places.get(key)),
    set: (place) => {
      places.set(key, place, place && stepTo(place, places.get(key)));
    },
  });
  return {
    onConflict: plan.request.onConflict === 'skip' ? 'skip' : 'replace',
    chunkBytes: chunkBytesOf(plan),
    clockOffsetMs,
    source: abilitiesOf(plan.source),
    target: abilitiesOf(plan.target),
    names: job.temporaryNames,
    placeOf,
    budget: app.budget.until(job).chunks,
    sourceMoves: plan.source.cluster,
  };
}

function hindranceOf(job: JobHold): Hindrance {
  return new Hindrance(job, (trouble) => {
    job.trouble(trouble);
  });
}

/** What restores payloads over the connection that all share, and over one of its own for each call. */
interface Payloads {
  readonly shared: PayloadWriter;
  readonly alone: Pick<PayloadWriter, 'write'>;
}

function payloadsOf(
  job: JobHold,
  app: SidesApp,
  sides: Pick<RangeSides, 'database' | 'target'>,
  names: Names,
  clock: ClockOffset,
  hindrance: Hindrance,
): Payloads {
  const { target, database } = sides;
  const { plan, id } = job.migration;
  const bulk = app.connections.bulk(
    connectionOf(plan.request.target),
    database.targetDatabase,
    apartFromSource(job.migration),
  );
  const replace = plan.request.onConflict !== 'skip';
  const writing = { replace, absoluteExpiry: plan.target.abilities.absoluteExpiry, use: useCarried(plan) };
  const onBulk = attemptOn(job, { ...target.guard, connection: bulk });
  const gate = payloadGateOf(plan);
  const { targetMinusSource } = clock;
  const sourceNow = () => clock.targetNow() - targetMinusSource;
  const prepare = (payload: Buffer) => gate.prepare(payload, sourceNow);
  const payloadsBy = (port: KeyedPort, attempt: Attempt) => {
    const writer = new PageWriter(timedWrites(port, id, app.telemetry), writing, () => clock.targetNow());
    return new PayloadWriter(writer, prepare, names, targetMinusSource, attempt, hindrance);
  };
  const shared = payloadsBy(bulk, onBulk);
  /** How often each page was sent: it is written again where that was lost for what the connection does. */
  const sendings = new WeakMap<ReadKeys, number>();
  const write: PayloadWriter['write'] = async (page) => {
    const written = await onBulk(() =>
      target.onOwn('valueTooLong', 'held', ({ bulk: own }) => {
        const opened = async <T>(call: () => Promise<T>) => {
          await own.ready();
          sendings.set(page, (sendings.get(page) ?? 0) + 1);
          return await call();
        };
        return payloadsBy(own, opened).write(page);
      }),
    );
    return { ...written, sent: sendings.get(page) ?? 0 };
  };
  return { shared, alone: { write } };
}

function conversionsOf(
  job: JobHold,
  { source, target }: { readonly source: Side; readonly target: Side },
  names: Names,
  { targetMinusSource: clockOffset }: ClockOffset,
  attempt: Attempt,
  hindrance: Hindrance,
): ConversionWriter {
  const context = {
    source: convertSourceOf(source),
    target: writingPort(target),
    clockOffset,
    naming: (key: Buffer) => names.onTarget(key),
    pause: (ms: number) => pause(ms, job),
  };
  return new ConversionWriter(context, attempt, hindrance);
}

function wholeOf(
  job: JobHold,
  source: Origin,
  sizeOf: (key: Buffer) => Promise<number | undefined>,
  { alone }: Payloads,
  { budget, settings }: Pick<App, 'budget' | 'settings'>,
  knows?: (key: Buffer) => boolean,
): WholeCopier {
  return new WholeCopier(source, sizeOf, alone, budget.until(job).chunks, settings.bytesInFlight, knows);
}
