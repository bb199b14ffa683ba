import { comparisonOf } from '../compare/comparison-of';
import { examine, type Pair } from '../compare/examine';
import type { Names } from '../convert/names';
import { payloadGateOf } from '../migration/transport';
import type { RangeJob } from '../range/range-job';
import { attemptOn, type RangeSides, type SidesApp } from '../range/range-sides';
import { chunkBytesOf } from '../range/range-shape';
import { timedWrites } from '../range/timed';
import { abilitiesOf } from '../transfer/by-commands/abilities-of';
import type { ClockOffset } from '../transfer/clock-offset';
import { PageWriter } from '../transfer/page-writer';
import type { Sink } from '../transfer/sink';
import { writePart, type WriteContext } from '../transfer/write-part';

/** The target's database of a range, as parts are written to it. */
export function sinkOf(job: RangeJob, app: SidesApp, sides: RangeSides, names: Names, clock: ClockOffset): Sink {
  const { plan, id } = job.migration;
  const { source, target, database } = sides;
  const bulk = app.connections.bulk(plan.request.target, database.targetDatabase);
  const writing = { replace: plan.request.onConflict !== 'skip', absoluteExpiry: plan.target.abilities.absoluteExpiry };
  const comparison = comparisonOf(job, sides, clock, 'full');
  const context: WriteContext = {
    source: source.port,
    target: target.port,
    sourceVersion: abilitiesOf(plan.source),
    targetVersion: abilitiesOf(plan.target),
    payloads: payloadGateOf(plan),
    writer: new PageWriter(timedWrites(bulk, id, app.telemetry), writing, () => clock.targetNow()),
    naming: names.change ? (key) => names.onTarget(key) : undefined,
    clockOffset: clock.targetMinusSource,
    onConflict: writing.replace ? 'replace' : 'skip',
    chunkBytes: chunkBytesOf(plan),
    tookOver: job.tookOver,
    countEqual: async (keys) => {
      const pairs = keys.map((key): Pair => ({ source: key, target: names.onTarget(key) }));
      return (await examine(pairs, comparison)).filter((found) => found === 'same').length;
    },
    scripts: { source: source.scripts, target: target.scripts },
    temporaryNames: job.temporaryNames,
    beforeTemporaryKeys: () => job.beginTemporaryKeys(),
    stop: job,
    onTrouble: (trouble) => {
      job.trouble(trouble);
    },
    attemptWrite: attemptOn(job, { ...target.guard, connection: bulk }),
    attemptBoth: attemptOn(job, source.guard, target.guard),
  };
  let takesPayloads = plan.transport !== 'commands';
  return {
    wantsValues: () => takesPayloads,
    write: async (part) => {
      const { refusedPayloads, ...outcome } = await writePart(part, context);
      // A target that takes none of a page's payloads will not take the next page's either.
      if (refusedPayloads > 0 && refusedPayloads === payloadsOf(part.page.payloads)) takesPayloads = false;
      return outcome;
    },
  };
}

function payloadsOf(payloads: readonly unknown[]): number {
  return payloads.filter((payload) => Buffer.isBuffer(payload)).length;
}
