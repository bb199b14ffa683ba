import type { App } from '../app/app';
import type { Finding } from '../migration/rows';
import { readRange } from '../transfer/range-pages';
import { makeConverters, selectionOf } from '../convert/make-converters';
import { makeNaming } from '../convert/rename/naming';
import { pause } from '../migration/stop';
import { missingKeys } from '../redis/missing-keys';
import { addCounts, noCounts, type Counts } from '../migration/counts';
import type { RangeJob } from '../range/range-job';
import { expectedKeysOf, pageLimitsOf } from '../range/range-shape';
import { rangeSides } from '../range/range-sides';

/** A key that is not there is looked for again, so that keys on their way to expire or just written do not count. */
const ROUNDS = 3;
const ROUND_MS = 300;
/** Pages go on while so many keys, or for so long, wait to be looked for again: many wait as long as one. */
const MOST_SUSPECTS = 2_000;
const SUSPECTS_MS = 2_000;

/** The second look: walks the source's keys of a range and asks the target for each. Missing ones become findings. */
export async function lookRange(job: RangeJob, app: App): Promise<void> {
  const { migration, row } = job;
  const { plan } = migration;
  const sides = rangeSides(job, app);
  const { database, source, target } = sides;
  const naming = makeNaming(plan.request.rename, database.prefix);
  const converters = makeConverters(plan);
  const pages = readRange(sides.reader, {
    range: row,
    start: BigInt(row.cursor),
    expectedKeys: expectedKeysOf(database),
    cursorOrder: plan.source.abilities.cursorOrder,
    ...pageLimitsOf(plan, app.settings.pageMicros),
    selection: selectionOf(plan, converters),
    converters: [],
    source,
    namesOnly: () => true,
    budget: app.budget,
    pace: job.governor,
    attempt: sides.attemptSource,
  });
  /** The names under which a key may be on the target: converted, or as it is. None where it must not be there. */
  const namesAfter = (key: Buffer): Buffer[] => {
    const converter = converters.find((candidate) => candidate.claims(key));
    const after = converter?.nameAfter(key);
    if (converter !== undefined && after === undefined) return [];
    return [...(after === undefined ? [] : [after]), key].map((name) => naming?.(name) ?? name);
  };
  /** Those keys that are on the target under none of their names, from the n-th on. */
  const lacking = async (keys: readonly Buffer[], nth: number): Promise<readonly Buffer[]> => {
    const asked = keys.flatMap((key) => namesAfter(key)[nth] ?? []);
    const places = await sides.attemptTarget(() => missingKeys(target, asked, plan.target.abilities.scripts));
    const open = places.flatMap((i) => keys[i] ?? []);
    const more = open.filter((key) => namesAfter(key).length > nth + 1);
    const stillOpen = more.length === 0 ? [] : await lacking(more, nth + 1);
    return [...open.filter((key) => namesAfter(key).length <= nth + 1), ...stillOpen];
  };
  /** Those keys that are on the source and not on the target. */
  const missingOf = async (open: readonly Buffer[]): Promise<readonly Buffer[]> => {
    const keys = await lacking(open, 0);
    // Gone from the source as well: expired or deleted meanwhile, so nothing is missing.
    const gone = new Set(await sides.attemptSource(() => missingKeys(source, keys, plan.source.abilities.scripts)));
    return keys.filter((_, i) => !gone.has(i));
  };
  let suspects: readonly Buffer[] = [];
  let counts: Counts = noCounts;
  let settleBy = 0;
  /** Looks for the suspects again and writes down what is behind the walk, up to `next`. */
  const settle = async (next: bigint | undefined): Promise<void> => {
    let open = suspects;
    for (let round = 2; round <= ROUNDS && open.length > 0; round++) {
      await pause(ROUND_MS, job);
      open = await missingOf(open);
    }
    const findings = open.map((key): Finding => ({
      migration: migration.id,
      database: row.database,
      key,
      code: 'missing',
      message: 'The key is on the source and not on the target.',
    }));
    const missing = await job.addFirstFindings(findings);
    await job.add(addCounts(counts, { missing, findings: missing }), [], next);
    suspects = [];
    counts = noCounts;
  };
  let next: bigint | undefined;
  for await (const part of pages) {
    app.budget.give(part.taken);
    const lost = await missingOf(part.page.keys.filter((key) => namesAfter(key).length > 0));
    if (suspects.length === 0) settleBy = Date.now() + SUSPECTS_MS;
    suspects = [...suspects, ...lost];
    const { scanned = 0, repeats = 0 } = part.counts;
    counts = addCounts(counts, { scanned, repeats });
    ({ next } = part);
    // Inside a page there is no place to go on from.
    if (next === undefined) continue;
    if (suspects.length === 0 || suspects.length >= MOST_SUSPECTS || Date.now() >= settleBy) await settle(next);
  }
  if (suspects.length > 0) await settle(next);
}
