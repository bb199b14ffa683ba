import type { App } from '../app/app';
import { comparisonOf } from '../compare/comparison-of';
import { examine, type Pair } from '../compare/examine';
import type { Names } from '../convert/names';
import { pause } from '../migration/stop';
import { connectionOf } from '../migration/side-spec';
import type { KeyedPort } from '../redis/redis-port';
import { governedPort } from '../transfer/governed';
import { payloadGateOf } from '../migration/transport';
import { useCarried } from '../migration/use-kind';
import type { RangeJob } from '../range/range-job';
import { attemptOn, onOwn, type RangeSides, type SidesApp } from '../range/range-sides';
import { chunkBytesOf } from '../range/range-shape';
import { timedWrites } from '../range/timed';
import { keyPlaceSchema, type PlaceKeeper } from '../transfer/by-commands';
import { abilitiesOf } from '../transfer/by-commands/abilities-of';
import type { ClockOffset } from '../transfer/clock-offset';
import { CommandCopier, type CopierOptions, type CopyAlone } from '../transfer/command-copier';
import { ConversionWriter } from '../transfer/conversion-writer';
import { Hindrance } from '../transfer/hindrance';
import { PageWriter } from '../transfer/page-writer';
import { PayloadWriter } from '../transfer/payload-writer';
import { RedisSink, type OwnKeys } from '../transfer/redis-sink';
import type { Attempt } from '../transfer/side';
import type { Sink } from '../transfer/sink';
import { WholeCopier } from '../transfer/whole-copier';

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
  const onBulk = attemptOn(job, { ...target.guard, connection: bulk });
  const gate = payloadGateOf(plan);
  const sourceNow = () => clock.targetNow() - clockOffset;
  const prepare = (payload: Buffer) => gate.prepare(payload, sourceNow);
  const payloadsBy = (port: KeyedPort, attempt: Attempt) => {
    const writer = new PageWriter(timedWrites(port, id, app.telemetry), writing, () => clock.targetNow());
    return new PayloadWriter(writer, prepare, names, clockOffset, attempt, hindrance);
  };
  const payloads = payloadsBy(bulk, onBulk);

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
  const isCluster = plan.source.cluster || plan.target.cluster;
  const { request } = plan;
  const from = { name: connectionOf(request.source), database: database.database, kind: 'replyTooLong' } as const;
  const to = { name: connectionOf(request.target), database: database.targetDatabase, kind: 'valueTooLong' } as const;
  // In a cluster each node's connection is another one already.
  const alone: CopyAlone = async (copy) =>
    isCluster
      ? await copy(source.port, target.port)
      : await onOwn(app, from, source.guard, (own) =>
          onOwn(app, to, target.guard, (ownTarget) => copy(governedPort(own, job.governor), ownTarget)),
        );
  const commands = new CommandCopier(sides, names, options, own, begin, onBoth, alone, hindrance, job);

  const naming = (key: Buffer) => names.onTarget(key);
  const context = {
    source: source.port,
    target: target.port,
    clockOffset,
    naming,
    pause: (ms: number) => pause(ms, job),
  };
  const conversions = new ConversionWriter(context, onBoth, hindrance);

  const ownPayloads: Pick<PayloadWriter, 'write'> = {
    write: async (page) => {
      let sent = 0;
      const written = await onBulk(() =>
        onOwn(app, to, target.guard, (_, ownBulk) => {
          const opened = async <T>(call: () => Promise<T>) => {
            await ownBulk.ready();
            sent++;
            return await call();
          };
          return payloadsBy(ownBulk, opened).write(page);
        }),
      );
      return { ...written, sent };
    },
  };
  const goesWhole = plan.source.abilities.dump && plan.target.abilities.restore;
  const whole = goesWhole
    ? new WholeCopier(source, isCluster ? payloads : ownPayloads, app.budget.chunks, app.settings.bytesInFlight)
    : undefined;
  return new RedisSink(payloads, commands, conversions, own, whole, plan.transport !== 'commands');
}
