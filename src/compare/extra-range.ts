import type { App } from '../app/app';
import { factsOrThrow } from '../app/side-facts';
import type { Converter } from '../convert/converter';
import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { addCounts, noCounts } from '../migration/counts';
import { isFollowed, type SideName } from '../migration/phases';
import type { Plan } from '../migration/plan';
import type { KeyFinding } from '../migration/rows';
import { makeSelection } from '../migration/selection';
import { ANOTHER_SOURCE } from '../migration/source-doubt';
import { markOf } from '../migration/since';
import { SourceChangedError } from '../migration/stop';
import type { RangeJob } from '../range/range-job';
import { askedFileOf } from '../range/file-origin';
import { originOf, sideOf, type SidesApp } from '../range/range-sides';
import { roundsOfValues } from '../range/suspects';
import { walkRange, type WalkApp } from '../range/walk-range';
import { isTemporaryKey } from '../transfer/by-commands';
import { absentFrom, unwantedOn, type Attempt, type Side } from '../transfer/side';
import { deleteExtra, SourceDoubtError } from './delete-extra';
import { extra } from './difference';
import { keyFacts } from './key-facts';

/**
 * Walks the target's keys of a range and looks for each on the source, under all names that it may have come from. Those that
 * have none there are extra: findings, or, where the request says so, deleted.
 */
export async function extraRange(
  job: RangeJob,
  app: SidesApp & WalkApp & Pick<App, 'files' | 'fileTables' | 'ledger'>,
): Promise<void> {
  const { migration, row } = job;
  const { plan } = migration;
  const { request } = plan;
  const { ownKeys } = plan.target.abilities;
  const walked = plan.targetDatabases?.find(({ database }) => database === row.database);
  if (walked === undefined) throw new Error(`Database ${row.database} is not in the plan.`);
  const target = originOf(job, app, 'target', walked);
  const converters = makeConverters(plan);
  const selection = makeSelection(request.select);
  // What is to be deleted must be missing on the very process that was planned with, or that the pass began with.
  const deletes = request.deleteExtra || isFollowed(plan);
  const believed = isFollowed(plan) ? migration.course.source : markOf(plan.source);
  // The nodes of a cluster may be reached one by one: which they are is looked at before anything is deleted.
  const runId = deletes && !plan.source.cluster ? believed.runId : undefined;
  const sources = new Map(
    plan.databases.map(({ database }): [number, Side] => {
      const side = askedFileOf(job, app, database) ?? sideOf(job, app, 'source', database, runId);
      return [database, { ...side, attempt: onPlannedSource(side.attempt) }];
    }),
  );

  const origins = originsIn(plan, row.database, converters);
  // A target that follows is the migration's own. On others what a key that is not selected leads to is somebody else's.
  const isTaken = (key: Buffer) => !isFollowed(plan) || selection.mayWant(key);
  /** Those keys that the source has under none of their names, or, followed, under one that is not the migration's matter. */
  const withoutOrigin = async (keys: readonly Buffer[]): Promise<Buffer[]> => {
    const found = new Set<number>();
    const asked = keys.map(origins);
    for (const [database, source] of sources) {
      const questions = asked.flatMap((from, place) =>
        found.has(place)
          ? []
          : from
              .filter((origin) => origin.database === database && isTaken(origin.key))
              .map(({ key }) => ({ key, place })),
      );
      const names = questions.map(({ key }) => key);
      // What is of another type there is elsewhere somebody's, and may be what a converted key was made of.
      const absent = await (isFollowed(plan) ? unwantedOn(source, names, selection) : absentFrom(source, names));
      questions.forEach(({ place }, i) => {
        if (!absent.has(i)) found.add(place);
      });
    }
    return keys.filter((_, place) => !found.has(place));
  };

  const look = async (keys: readonly Buffer[]) => {
    const still = await withoutOrigin(keys);
    const facts = await target.attempt(() => keyFacts(target, still));
    const wrong = still.flatMap((key, i) => {
      const there = facts[i];
      return there === undefined ? [] : [{ suspect: key, finding: { key, ...extra(there) } }];
    });
    return { counts: {}, wrong };
  };
  const tell = (found: readonly KeyFinding[]) => Promise.resolve({ counts: { extra: found.length }, findings: found });
  const deleteAll = async (found: readonly KeyFinding[]) => {
    const deleted = await deleteExtra(
      found.map(({ key }) => key),
      {
        plan,
        believed,
        target: target.port,
        stillExtra: withoutOrigin,
        factsOf: (side: SideName) => factsOrThrow(plan, side, app),
        stop: job,
        onTrouble: (trouble) => {
          job.trouble(trouble);
        },
      },
    );
    return { counts: { extra: deleted, deleted }, findings: [] };
  };

  await walkRange<Buffer>(job, app, target, {
    selection: {
      ...selection,
      // What the migration would not write is none of its matter.
      wants: (key, type) =>
        !isTemporaryKey(key) &&
        !isTemporaryKey(key, ownKeys) &&
        origins(key).some((from) => selection.wants(from.key, type)),
    },
    converters: [],
    wantsValues: () => false,
    work: async ({ page, counts }) => ({
      counts: addCounts(noCounts, counts),
      suspects: await withoutOrigin(page.keys),
    }),
    secondLook: { rounds: roundsOfValues, look, end: deletes ? deleteAll : tell },
  });
}

/** Where a key of the target may come from. */
interface KeyOrigin {
  readonly database: number;
  readonly key: Buffer;
}

/** All keys of the source that a key of one of the target's databases may have come from. */
function originsIn(
  plan: Plan,
  targetDatabase: number,
  converters: readonly Converter[],
): (key: Buffer) => readonly KeyOrigin[] {
  const databases = plan.databases
    .filter((one) => one.targetDatabase === targetDatabase)
    .map((one) => ({ database: one.database, names: makeNames(plan, one, converters) }));
  return (key) =>
    databases.flatMap(({ database, names }) => names.origins(key).map((origin) => ({ database, key: origin })));
}

/** The walk belongs to the target's process; that the source's is another one ends all deleting. */
function onPlannedSource(call: Attempt): Attempt {
  return async (ask) => {
    try {
      return await call(ask);
    } catch (error) {
      if (!(error instanceof SourceChangedError)) throw error;
      throw new SourceDoubtError(ANOTHER_SOURCE, true);
    }
  };
}
