import type { App } from '../app/app';
import { abilitiesOf } from '../transfer/by-commands/abilities-of';
import type { ClockOffset } from '../transfer/clock-offset';
import { PageWriter } from '../transfer/page-writer';
import { readRange, type Part } from '../transfer/range-pages';
import { comparisonBetween } from '../compare/comparison-of';
import { examine, type Pair } from '../compare/examine';
import { makeConverters, selectionOf } from '../convert/make-converters';
import { timedWrites } from '../range/timed';
import { makeNaming } from '../convert/rename/naming';
import { StoppedError } from '../migration/stop';
import { writePart, type PartOutcome, type WriteContext } from '../transfer/write-part';
import type { RangeJob } from '../range/range-job';
import { chunkBytesOf, expectedKeysOf, pageLimitsOf } from '../range/range-shape';
import { rangeSides, type RangeSides } from '../range/range-sides';
import { payloadGateOf } from '../migration/transport';

/** Pages of one range that may be on their way to the target while the next one is read. */
const PAGES_IN_WRITING = 2;

/** What is needed to write parts of a range to the target. */
export interface RangeWriting {
  readonly sides: RangeSides;
  readonly clock: ClockOffset;
  readonly context: WriteContext;
  /** The target takes no payloads: keys are to be named only. */
  byCommands: boolean;
}

/** Connects a range to both sides for writing. */
export async function rangeWriting(
  job: RangeJob,
  app: Pick<App, 'connections' | 'settings' | 'telemetry'>,
): Promise<RangeWriting> {
  const { migration, row } = job;
  const { plan } = migration;
  const { request } = plan;
  const sides = rangeSides(job, app);
  const { database } = sides;
  const clock = await sides.compareClocks();
  const naming = makeNaming(request.rename, database.prefix);
  const comparison = comparisonBetween(job, sides, clock, 'full');
  const writing = { replace: request.onConflict !== 'skip', absoluteExpiry: plan.target.abilities.absoluteExpiry };
  const context: WriteContext = {
    ...sides,
    migration: migration.id,
    database: row.database,
    sourceVersion: abilitiesOf(plan.source),
    targetVersion: abilitiesOf(plan.target),
    payloads: payloadGateOf(plan),
    writer: new PageWriter(timedWrites(sides.bulk, migration.id, app.telemetry), writing, () => clock.targetNow()),
    naming,
    clockOffset: clock.targetMinusSource,
    onConflict: writing.replace ? 'replace' : 'skip',
    chunkBytes: chunkBytesOf(plan),
    tookOver: job.tookOver,
    countEqual: async (keys) => {
      const pairs = keys.map((key): Pair => ({ source: key, target: naming?.(key) ?? key }));
      return (await examine(pairs, comparison)).filter((found) => found === 'same').length;
    },
    scripts: { source: plan.source.abilities.scripts, target: plan.target.abilities.scripts },
    temporaryNames: job.temporaryNames,
    beforeTemporaryKeys: () => job.beginTemporaryKeys(),
    stop: job,
  };
  return { sides, clock, context, byCommands: plan.transport === 'commands' };
}

/** Copies a range from its cursor to its end, page by page, reading ahead of writing. */
export async function copyRange(job: RangeJob, app: App): Promise<void> {
  const { migration, row } = job;
  const { plan } = migration;
  const writing = await rangeWriting(job, app);
  const { sides } = writing;
  const converters = makeConverters(plan);
  const pages = readRange(sides.reader, {
    range: row,
    start: BigInt(row.cursor),
    expectedKeys: expectedKeysOf(sides.database),
    cursorOrder: plan.source.abilities.cursorOrder,
    ...pageLimitsOf(plan, app.settings.pageMicros),
    selection: selectionOf(plan, converters),
    converters,
    source: sides.source,
    namesOnly: () => writing.byCommands,
    budget: app.budget,
    pace: job.governor,
    attempt: sides.attemptSource,
  });
  await writeParts(pages, writing, job, app);
}

/** Writes parts as they come, reading ahead of writing, and what became of them into the range's row. */
export async function writeParts(
  parts: AsyncIterable<Part>,
  writing: RangeWriting,
  job: RangeJob,
  app: Pick<App, 'budget'>,
): Promise<void> {
  // Under a limit on bytes none: what big keys and conversions read is not known before they are written.
  const mostInWriting = job.migration.plan.request.limits.bytesPerSecond > 0 ? 0 : PAGES_IN_WRITING;
  const inWriting: { readonly part: Part; readonly outcome: Promise<PartOutcome> }[] = [];
  const finishOldest = async () => {
    const [oldest] = inWriting;
    if (oldest === undefined) return;
    // One that was not written stays the first: what was written behind it must not move the cursor beyond it.
    const { counts, findings, refusedPayloads } = await oldest.outcome;
    inWriting.shift();
    // A target that takes none of a page's payloads will not take the next page's either.
    if (refusedPayloads > 0 && refusedPayloads === payloadsOf(oldest.part)) writing.byCommands = true;
    await job.add(counts, findings, oldest.part.next);
  };
  const finishAll = async () => {
    while (inWriting.length > 0) await finishOldest();
  };
  try {
    for await (const part of parts) {
      const outcome = writePart(part, writing.context).finally(() => {
        app.budget.give(part.taken);
      });
      // Whoever waits for it hears of a failure; until then it is no unhandled one.
      outcome.catch(() => undefined);
      inWriting.push({ part, outcome });
      while (inWriting.length > mostInWriting) await finishOldest();
    }
    await finishAll();
  } catch (error) {
    // What is on its way is still counted: where pages are slow, a range would else never get beyond its first ones.
    if (error instanceof StoppedError && error.reason !== 'lost') await finishAll().catch(() => undefined);
    throw error;
  } finally {
    await Promise.allSettled(inWriting.map(({ outcome }) => outcome));
  }
}

function payloadsOf(part: Part): number {
  return part.page.payloads.filter((payload) => Buffer.isBuffer(payload)).length;
}
