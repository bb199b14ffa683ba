import type { App } from '../app/app';
import { comparisonOf } from '../compare/comparison-of';
import { examine, type Pair } from '../compare/examine';
import type { Names } from '../convert/names';
import { pause } from '../migration/stop';
import { connectionOf } from '../migration/side-spec';
import { payloadGateOf } from '../migration/transport';
import { useCarried } from '../migration/use-kind';
import type { RangeJob } from '../range/range-job';
import { attemptOn, type RangeSides, type SidesApp } from '../range/range-sides';
import { chunkBytesOf } from '../range/range-shape';
import { timedWrites } from '../range/timed';
import { keyPlaceSchema, type PlaceKeeper } from '../transfer/by-commands';
import { abilitiesOf } from '../transfer/by-commands/abilities-of';
import type { ClockOffset } from '../transfer/clock-offset';
import { CommandCopier, type CopierOptions } from '../transfer/command-copier';
import { ConversionWriter } from '../transfer/conversion-writer';
import { Hindrance } from '../transfer/hindrance';
import { PageWriter } from '../transfer/page-writer';
import { PayloadWriter } from '../transfer/payload-writer';
import { RedisSink, type OwnKeys } from '../transfer/redis-sink';
import { WholeCopier } from '../transfer/whole-copier';
import type { Sink } from '../transfer/sink';

/** The target's database of a range, as parts are written to it. */
export function sinkOf(
  job: RangeJob,
  app: SidesApp & Pick<App, 'budget'>,
  sides: RangeSides,
  names: Names,
  clock: ClockOffset,
): Sink {
  const { plan, id } = job.migration;
  const { source, target, database } = sides;
  const { targetMinusSource: clockOffset } = clock;
  const hindrance = new Hindrance(job, (trouble) => {
    job.trouble(trouble);
  });
  const onBoth = attemptOn(job, source.guard, target.guard);
  const own: OwnKeys = {
    tookOver: job.tookOver,
    countEqual: async (keys) => {
      const pairs = keys.map((key): Pair => ({ source: key, target: names.onTarget(key) }));
      const found = await examine(pairs, comparisonOf(job, sides, clock, 'full'));
      return found.filter((each) => each === 'same').length;
    },
  };

  const bulk = app.connections.bulk(connectionOf(plan.request.target), database.targetDatabase);
  const replace = plan.request.onConflict !== 'skip';
  const writing = { replace, absoluteExpiry: plan.target.abilities.absoluteExpiry, use: useCarried(plan) };
  const writer = new PageWriter(timedWrites(bulk, id, app.telemetry), writing, () => clock.targetNow());
  const onBulk = attemptOn(job, { ...target.guard, connection: bulk });
  const gate = payloadGateOf(plan);
  const sourceNow = () => clock.targetNow() - clockOffset;
  const prepare = (payload: Buffer) => gate.prepare(payload, sourceNow);
  const payloads = new PayloadWriter(writer, prepare, names, clockOffset, onBulk, hindrance);

  const places = job.place.notes('copy');
  const placeOf = (key: Buffer): PlaceKeeper => ({
    // One that is not as it was stored is none: the key is begun anew.
    get: () => keyPlaceSchema.optional().catch(undefined).parse(places.get(key)),
    set: (place) => {
      places.set(key, place);
    },
  });
  const options: CopierOptions = {
    onConflict: replace ? 'replace' : 'skip',
    chunkBytes: chunkBytesOf(plan),
    clockOffsetMs: clockOffset,
    source: abilitiesOf(plan.source),
    target: abilitiesOf(plan.target),
    names: job.temporaryNames,
    placeOf,
    budget: app.budget.chunks,
    sourceMoves: plan.source.cluster,
  };
  const begin = () => job.beginTemporaryKeys();
  const commands = new CommandCopier(sides, names, options, own, begin, onBoth, hindrance, job);

  const naming = (key: Buffer) => names.onTarget(key);
  const context = {
    source: source.port,
    target: target.port,
    clockOffset,
    naming,
    pause: (ms: number) => pause(ms, job),
  };
  const conversions = new ConversionWriter(context, onBoth, hindrance);

  const reader = { ...source, reader: source.readerOfWhole };
  const goesWhole = plan.source.abilities.dump && plan.target.abilities.restore;
  const whole = goesWhole
    ? new WholeCopier(reader, payloads, app.budget.chunks, app.settings.bytesInFlight)
    : undefined;
  return new RedisSink(payloads, commands, conversions, own, whole, plan.transport !== 'commands');
}
