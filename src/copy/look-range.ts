import type { App } from '../app/app';
import { MISSING } from '../compare/difference';
import { lackingKeys } from '../compare/lacking-keys';
import { tellDifferences } from '../compare/tell-differences';
import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { selectionOf } from '../migration/selection';
import type { RangeJob } from '../range/range-job';
import { fileOriginOf } from '../range/file-origin';
import { databaseOf, originOf, sideOf, type SidesApp } from '../range/range-sides';
import { roundsOfNames } from '../range/suspects';
import { walkRange, type WalkApp } from '../range/walk-range';

/**
 * The second look: walks the source's keys of a range and asks the target for each. One that is not there is looked for again,
 * so that keys on their way to expire, or just written, do not count; then it is a finding.
 */
export async function lookRange(
  job: RangeJob,
  app: SidesApp & WalkApp & Pick<App, 'fileTables' | 'ledger'>,
): Promise<void> {
  const { plan } = job.migration;
  const database = databaseOf(job);
  const source = fileOriginOf(job, app, database) ?? originOf(job, app, 'source', database);
  const sides = { source, target: sideOf(job, app, 'target', database.targetDatabase, undefined) };
  const converters = makeConverters(plan);
  const names = makeNames(plan, database, converters);
  const missingOf = async (keys: readonly Buffer[]) => (await lackingKeys(keys, names, sides)).missing;
  await walkRange<Buffer>(job, app, source, {
    selection: selectionOf(plan, converters),
    converters: [],
    wantsValues: () => false,
    work: async ({ page, counts: { scanned = 0, repeats = 0 } }) => ({
      counts: { scanned, repeats },
      suspects: await missingOf(page.keys),
    }),
    secondLook: {
      rounds: roundsOfNames,
      look: async (keys) => ({
        counts: {},
        wrong: (await missingOf(keys)).map((key) => ({ suspect: key, finding: { key, ...MISSING } })),
      }),
      end: tellDifferences,
    },
  });
}
