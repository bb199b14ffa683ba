import { wallClock } from '../basics/wall-clock';
import type { App } from '../app/app';
import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { selectionOf } from '../migration/selection';
import { UnreadableRowError } from '../ledger/row-schemas';
import type { RangeJob } from '../range/range-job';
import { fileOriginOf } from '../range/file-origin';
import { databaseOf, originOf, sideOf, type SidesApp } from '../range/range-sides';
import { walkRange, type WalkApp } from '../range/walk-range';
import type { Origin } from '../transfer/side';
import { askedSource } from './asked-source';
import { fileSource, passagesTo, passagesToNone } from './file-source';
import { packSurvey, unpackSurvey } from './packing';
import { Survey } from './survey';
import { surveyPart } from './survey-part';
import { surveyRules } from './survey-rules';

/** Reads a range as a copy would, from its cursor to its end, and keeps what it learns instead of writing. */
export async function surveyRange(
  job: RangeJob,
  app: SidesApp & WalkApp & Pick<App, 'fileTables' | 'ledger'>,
): Promise<void> {
  const { migration, row } = job;
  const { plan } = migration;
  const database = databaseOf(job);
  const converters = makeConverters(plan);
  const file = fileOriginOf(job, app, database, converters);
  const origin = file ?? originOf(job, app, 'source', database);
  const { findingKeys } = app.settings;
  // Of a range that has begun at its start again, what was learnt before counts no more.
  const packed = row.counts.scanned === 0 ? undefined : await app.ledger.surveys.get(row);
  if (packed === undefined && row.counts.scanned > 0) {
    throw new UnreadableRowError('What a dry run has learnt of a range', 'it is lost');
  }
  const survey = packed === undefined ? new Survey(findingKeys) : await unpackSurvey(packed, findingKeys);
  job.attachSurvey(() => packSurvey(survey));

  const watch = new Stopwatch();
  const { facts, rules, payloads } = surveyRules(plan, database, app.settings.bigKeyBytes);
  const version = plan.source.file?.version ?? 0;
  const hasTarget = plan.request.target !== null;
  const context = {
    source:
      file === undefined
        ? askedSource(origin, facts, payloads)
        : fileSource(
            file,
            hasTarget ? passagesTo(file, version, app.settings.bytesInFlight, payloads) : passagesToNone(),
            () => app.ledger.now(),
          ),
    target: hasTarget ? sideOf(job, app, 'target', database.targetDatabase, undefined) : undefined,
    names: makeNames(plan, database, converters),
    rules,
  };
  await walkRange(job, app, watch.timed(origin), {
    selection: selectionOf(plan, converters),
    converters,
    // A file is read by its values in any case.
    wantsValues: () => file !== undefined || plan.transport !== 'commands',
    work: async (part) => {
      // Nothing is written, so the payloads are not held: what they tell is in the survey.
      const { keys, counts, lost } = await surveyPart(part, context);
      const moved = () => {
        survey.add(row.database, keys);
        survey.addPace(watch.lap(counts.bytes));
      };
      return { counts, findings: lost, moved };
    },
  });
}

/** Measures how long reading takes, apart from the rest of the work. */
class Stopwatch {
  private readMs = 0;
  private lapAt = wallClock();

  /** The same origin, with the reading of its pages measured. */
  timed(origin: Origin): Origin {
    return { ...origin, attempt: (call) => this.reading(() => origin.attempt(call)) };
  }

  private async reading<T>(call: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      return await call();
    } finally {
      this.readMs += performance.now() - begun;
    }
  }

  /** What has passed since the last lap. */
  lap(payloadBytes: number) {
    const [firstAt, lastAt, { readMs }] = [this.lapAt, wallClock(), this];
    this.lapAt = lastAt;
    this.readMs = 0;
    return { firstAt, lastAt, readMs, workMs: lastAt - firstAt, payloadBytes };
  }
}
