import type { App } from '../app/app';
import { makeConverters } from '../convert/make-converters';
import type { Converter } from '../convert/converter';
import type { Finding } from '../migration/rows';
import { addCounts, noCounts, type Counts } from '../migration/counts';
import type { RangeJob } from '../range/range-job';
import { readRangeAhead } from '../transfer/range-pages';
import { missingKeys } from '../redis/missing-keys';
import { comparisonOf } from './comparison-of';
import type { Difference } from './difference';
import { examine, type Comparison, type Pair } from './examine';
import { lookAtPage } from './first-look';
import { OverviewReader } from './overview-reader';
import { Suspects } from './suspects';

/** Keys that are examined together. */
const EXAMINED_AT_ONCE = 500;

/**
 * Compares the source's keys of a range with the target: those that are missing there or different become findings. What
 * seems different is looked at again twice, some seconds apart, so that keys in flight settle.
 */
export async function compareRange(job: RangeJob, app: App): Promise<void> {
  const { migration, row } = job;
  const { plan } = migration;
  const { sides, comparison, nameOf, walk } = await comparisonOf(job, app);
  const converters = makeConverters(plan);
  const reader = plan.source.abilities.scripts
    ? new OverviewReader(sides.source, comparison.depth, sides.reader)
    : sides.reader;
  let counts: Counts = noCounts;
  const count = (more: Partial<Counts>) => {
    counts = addCounts(counts, more);
  };
  const suspects = new Suspects<Pair, Difference>(async (pairs) => {
    const still: { key: Pair; found: Difference }[] = [];
    for (let at = 0; at < pairs.length; at += EXAMINED_AT_ONCE) {
      const some = pairs.slice(at, at + EXAMINED_AT_ONCE);
      const results = await examine(some, comparison);
      some.forEach((key, i) => {
        const result = results[i];
        if (result === 'same') count({ same: 1 });
        else if (result === 'gone') count({ expired: 1 });
        else if (result !== undefined) still.push({ key, found: result });
      });
    }
    return still;
  }, job);
  const converted = new Suspects<Buffer, Difference>(async (keys) => {
    const { lost, gone } = await missingConverted(keys, converters, nameOf, comparison);
    count({ same: keys.length - lost.length - gone, expired: gone });
    return lost.map((key) => ({ key, found: MISSING_CONVERTED }));
  }, job);

  const settle = async (next: bigint | undefined) => {
    const found = [
      ...(await suspects.settle()).map(({ key, found }) => ({ key: key.source, ...found })),
      ...(await converted.settle()).map(({ key, found }) => ({ key, ...found })),
    ];
    const findings = found.map((one): Finding => ({ migration: migration.id, database: row.database, ...one }));
    const missing = found.filter(({ code }) => code === 'missing').length;
    const stand = await job.addFirstFindings(findings);
    await job.add({ ...counts, missing, different: found.length - missing, findings: stand }, [], next);
    counts = noCounts;
  };

  let next: bigint | undefined;
  for await (const part of readRangeAhead(reader, { ...walk, converters: [] })) {
    app.budget.give(part.taken);
    count(part.counts);
    const isClaimed = (key: Buffer) => converters.some((converter) => converter.claims(key));
    const claimed = part.page.keys.filter(isClaimed);
    const plain = claimed.length === 0 ? part.page.keys : part.page.keys.filter((key) => !isClaimed(key));
    const pairs = plain.map((key): Pair => ({ source: key, target: nameOf(key) }));
    const seen = reader instanceof OverviewReader ? reader.overviewOf(plain) : undefined;
    const look = await lookAtPage(pairs, seen, comparison);
    count({ same: look.same.length, expired: look.gone.length });
    const different = [...look.missing, ...look.otherExpiry, ...look.different];
    suspects.add(different.map((place) => pairs[place]).filter((pair) => pair !== undefined));
    converted.add(claimed);
    ({ next } = part);
    // Inside a page there is no place to go on from.
    if (next !== undefined && suspects.due && converted.due) await settle(next);
  }
  await settle(next);
}

const MISSING_CONVERTED: Difference = {
  code: 'missing',
  message: 'The session is on the source, and on the target under neither its new name nor its old one.',
};

/** Of keys that a converter claims, those that are on the target neither converted nor as they are. Values are not compared. */
async function missingConverted(
  keys: readonly Buffer[],
  converters: readonly Converter[],
  nameOf: (key: Buffer) => Buffer,
  { source, target }: Comparison,
): Promise<{ lost: Buffer[]; gone: number }> {
  const wanted = keys.flatMap((key) => {
    const after = converters.find((converter) => converter.claims(key))?.nameAfter(key);
    // Keys that go with another one have no name of their own afterwards.
    return after === undefined ? [] : [{ key, names: [nameOf(after), nameOf(key)] }];
  });
  const lacking = async (asked: typeof wanted, nth: 0 | 1): Promise<typeof wanted> => {
    const names = asked.map((one) => one.names[nth] ?? one.key);
    const places = await target.attempt(() => missingKeys(target.port, names, target.scripts));
    return places.flatMap((place) => asked[place] ?? []);
  };
  const lost = (await lacking(await lacking(wanted, 0), 1)).map(({ key }) => key);
  const gone = new Set(await source.attempt(() => missingKeys(source.port, lost, source.scripts)));
  return { lost: lost.filter((_, i) => !gone.has(i)), gone: gone.size };
}
