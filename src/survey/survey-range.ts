import type { App } from '../app/app';
import { makeConverters, selectionOf } from '../convert/make-converters';
import { makeNaming } from '../convert/rename/naming';
import { UnreadableRowError } from '../ledger/row-schemas';
import type { Finding } from '../migration/rows';
import { addCounts, noCounts, type Counts } from '../migration/counts';
import type { RangeJob } from '../range/range-job';
import { expectedKeysOf, pageLimitsOf } from '../range/range-shape';
import { rangeSides } from '../range/range-sides';
import { readRange, type Part } from '../transfer/range-pages';
import { StoppedError } from '../migration/stop';
import { packSurvey, unpackSurvey } from './packing';
import { Survey } from './survey';
import { surveyPart, type PartSurvey } from './survey-part';
import { surveyRules } from './survey-rules';

/** Pages of one range that may be looked into while the next one is read. */
const PAGES_AT_ONCE = 2;

/** Reads a range as a copy would, from its cursor to its end, and keeps what it learns instead of writing. */
export async function surveyRange(job: RangeJob, app: App): Promise<void> {
  const { migration, row } = job;
  const { plan } = migration;
  const sides = rangeSides(job, app);
  const { database, source, target } = sides;
  const { findingKeys } = app.settings;
  const packed = await app.ledger.getSurvey(row);
  if (packed === undefined && row.counts.scanned > 0) {
    throw new UnreadableRowError('What a dry run has learnt of a range', 'it is lost');
  }
  const survey = packed === undefined ? new Survey(findingKeys) : await unpackSurvey(packed, findingKeys);
  job.attachSurvey(() => packSurvey(survey));

  const converters = makeConverters(plan);
  const watch = new Stopwatch();
  const pages = readRange(sides.reader, {
    range: row,
    start: BigInt(row.cursor),
    expectedKeys: expectedKeysOf(database),
    cursorOrder: plan.source.abilities.cursorOrder,
    ...pageLimitsOf(plan, app.settings.pageMicros),
    selection: selectionOf(plan, converters),
    converters,
    source,
    namesOnly: () => plan.transport === 'commands',
    budget: app.budget,
    pace: job.governor,
    attempt: (call) => watch.reading(() => sides.attemptSource(call)),
  });
  const context = {
    source,
    target,
    attemptSource: sides.attemptSource,
    attemptTarget: sides.attemptTarget,
    converters,
    naming: makeNaming(plan.request.rename, database.prefix),
    ...surveyRules(plan, database, app.settings.bigKeyBytes),
  };

  let page: PartSurvey[] = [];
  const open: { readonly part: Part; readonly looking: Promise<PartSurvey> }[] = [];
  const finishOldest = async () => {
    const [oldest] = open;
    if (oldest === undefined) return;
    const { part } = oldest;
    // One that was not looked at stays the first: what was seen behind it must not move the cursor beyond it.
    const seen = await oldest.looking;
    open.shift();
    page.push(seen);
    // Inside a page there is no place to go on from, and nothing is kept.
    if (part.next === undefined) return;
    const parts = page;
    page = [];
    const counts = parts.reduce((sum: Counts, { counts: some }) => addCounts(sum, some), noCounts);
    const findings = parts.flatMap(({ lost }) =>
      lost.map((finding): Finding => ({ migration: migration.id, database: row.database, ...finding })),
    );
    await job.add(counts, findings, part.next, () => {
      for (const { keys } of parts) survey.add(row.database, keys);
      survey.addPace(watch.lap(counts.bytes));
    });
  };
  const finishAll = async () => {
    while (open.length > 0) await finishOldest();
  };
  try {
    for await (const part of pages) {
      // Nothing is written, so the payloads are not held: what they tell is in the survey.
      const looking = surveyPart(part, context).finally(() => {
        app.budget.give(part.taken);
      });
      // Whoever waits for it hears of a failure; until then it is no unhandled one.
      looking.catch(() => undefined);
      open.push({ part, looking });
      while (open.length > PAGES_AT_ONCE) await finishOldest();
    }
    await finishAll();
  } catch (error) {
    // What was read is still counted: where pages are slow, a range would else never get beyond its first ones.
    if (error instanceof StoppedError && error.reason !== 'lost') await finishAll().catch(() => undefined);
    throw error;
  } finally {
    await Promise.allSettled(open.map(({ looking }) => looking));
  }
}

/** Measures how long reading takes, apart from the rest of the work. */
class Stopwatch {
  private readMs = 0;
  private lapAt = Date.now();

  async reading<T>(call: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      return await call();
    } finally {
      this.readMs += performance.now() - begun;
    }
  }

  /** What has passed since the last lap. */
  lap(payloadBytes: number) {
    const [firstAt, lastAt, { readMs }] = [this.lapAt, Date.now(), this];
    this.lapAt = lastAt;
    this.readMs = 0;
    return { firstAt, lastAt, readMs, workMs: lastAt - firstAt, payloadBytes };
  }
}
