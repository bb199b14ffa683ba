import type { App } from '../app/app';
import { makeConverters } from '../convert/make-converters';
import type { Finding } from '../migration/rows';
import { addCounts, noCounts, type Counts } from '../migration/counts';
import type { RangeJob } from '../range/range-job';
import { expectedKeysOf, pageLimitsOf } from '../range/range-shape';
import { factsOrThrow, type Side } from '../app/side-facts';
import { deleteExtra, SourceDoubtError } from './delete-extra';
import { ANOTHER_SOURCE } from '../migration/source-doubt';
import { attempt, type AttemptSide } from '../transfer/attempt';
import { SourceChangedError } from '../migration/stop';
import { isTemporaryKey } from '../transfer/by-commands';
import { PipelinePageReader, ScriptPageReader } from '../transfer/page-reader';
import { readRange } from '../transfer/range-pages';
import { governedPort } from '../transfer/governed';
import { makeSelection } from '../migration/selection';
import { missingKeys } from '../redis/missing-keys';
import { extra, type Difference } from './difference';
import { keyFacts } from './key-facts';
import { originsOf } from './origins';
import { Suspects } from './suspects';

type Found = readonly { readonly key: Buffer; readonly found: Difference }[];
type Attempt = <T>(call: () => Promise<T>) => Promise<T>;

/**
 * Walks the target's keys of a range and looks for each on the source, under all names that it may have come from. Those that
 * have none there are extra: findings, or, where the request says so, deleted.
 */
export async function extraRange(job: RangeJob, app: Pick<App, 'budget' | 'connections' | 'settings'>): Promise<void> {
  const { migration, row } = job;
  const { plan } = migration;
  const { request } = plan;
  const walked = plan.targetDatabases?.find(({ database }) => database === row.database);
  if (walked === undefined) throw new Error(`Database ${row.database} is not in the plan.`);
  const target = app.connections.get(request.target, row.database);
  const converters = makeConverters(plan);
  const selection = makeSelection(request.select);
  const onTrouble = (trouble: string | null) => {
    job.trouble(trouble);
  };
  const on =
    (side: AttemptSide): Attempt =>
    (call) =>
      attempt({ sides: [side], stop: job, onTrouble }, call);
  const attemptTarget = on({ connection: target, name: request.target, runId: migration.sourceRunId });
  // What is to be deleted must be missing on the very process that was planned with.
  const runId = request.deleteExtra ? plan.source.runId : undefined;
  const sources = new Map(
    plan.databases.map(({ database }) => {
      const connection = app.connections.get(request.source, database);
      const port = governedPort(connection, job.governor);
      return [database, { port, attempt: onPlannedSource(on({ connection, name: request.source, runId })) }];
    }),
  );
  const limits = { bigKeyBytes: app.settings.bigKeyBytes, pageBytes: 0, lookAtSizes: false };
  const reader = plan.target.abilities.scripts
    ? new ScriptPageReader(target, limits)
    : new PipelinePageReader(target, limits);

  const origins = (key: Buffer) => originsOf(key, row.database, plan.databases, converters);
  /** Those keys that the source has under none of their names. */
  const withoutOrigin = async (keys: readonly Buffer[]): Promise<Buffer[]> => {
    const found = new Set<number>();
    const asked = keys.map(origins);
    for (const [database, { port, attempt: attemptSource }] of sources) {
      const questions = asked.flatMap((from, place) =>
        found.has(place)
          ? []
          : from.filter((origin) => origin.database === database).map(({ key }) => ({ key, place })),
      );
      const names = questions.map(({ key }) => key);
      const missing = new Set(await attemptSource(() => missingKeys(port, names, plan.source.abilities.scripts)));
      questions.forEach(({ place }, i) => {
        if (!missing.has(i)) found.add(place);
      });
    }
    return keys.filter((_, place) => !found.has(place));
  };

  const suspects = new Suspects<Buffer, Difference>(async (keys) => {
    const still = await withoutOrigin(keys);
    const facts = await attemptTarget(() => keyFacts(target, still));
    return still.flatMap((key, i) => {
      const there = facts[i];
      return there === undefined ? [] : [{ key, found: extra(there) }];
    });
  }, job);
  let counts: Counts = noCounts;
  const settle = async (next: bigint | undefined) => {
    const found = await suspects.settle();
    const { outcome, findings } = request.deleteExtra ? await deleteAll(found) : await tell(found);
    await job.add(addCounts(counts, { ...outcome, findings }), [], next);
    counts = noCounts;
  };
  const tell = async (found: Found) => {
    const findings = found.map(({ key, found: difference }): Finding => {
      return { migration: migration.id, database: row.database, key, ...difference };
    });
    return { outcome: { extra: found.length }, findings: await job.addFirstFindings(findings) };
  };
  const deleteAll = async (found: Found) => {
    const keys = found.map(({ key }) => key);
    const factsOf = (side: Side) => factsOrThrow(plan, side, app);
    const deleted = await deleteExtra(keys, { plan, target, stillExtra: withoutOrigin, factsOf, stop: job, onTrouble });
    return { outcome: { extra: deleted, deleted }, findings: 0 };
  };

  const pages = readRange(reader, {
    range: row,
    start: BigInt(row.cursor),
    expectedKeys: expectedKeysOf(walked),
    cursorOrder: plan.target.abilities.cursorOrder === true,
    ...pageLimitsOf(plan, app.settings.pageMicros),
    selection: {
      ...selection,
      // What the migration would not write is none of its matter.
      wants: (key, type) => !isTemporaryKey(key) && origins(key).some((from) => selection.wants(from.key, type)),
    },
    converters: [],
    source: target,
    namesOnly: () => true,
    budget: app.budget,
    pace: job.governor,
    attempt: attemptTarget,
  });
  let next: bigint | undefined;
  for await (const part of pages) {
    app.budget.give(part.taken);
    counts = addCounts(counts, part.counts);
    const found = await withoutOrigin(part.page.keys);
    ({ next } = part);
    suspects.add(found);
    if (next !== undefined && suspects.due) await settle(next);
  }
  await settle(next);
}

/** The walk belongs to the target's process; that the source's is another one ends all deleting. */
function onPlannedSource(call: Attempt): Attempt {
  return async (ask) => {
    try {
      return await call(ask);
    } catch (error) {
      if (!(error instanceof SourceChangedError)) throw error;
      throw new SourceDoubtError(ANOTHER_SOURCE);
    }
  };
}
