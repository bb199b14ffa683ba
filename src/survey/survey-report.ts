import { librariesLeft } from '../migration/libraries';
import type { SideName } from '../migration/phases';
import type { MigrationRow } from '../migration/rows';
import { nameOfSide } from '../migration/side-spec';
import type { Counts } from '../migration/counts';
import { keyText } from '../migration/key-text';
import type { AmountSums, Amount } from './amount';
import { expiryBounds, NEVER, sizeBounds } from './buckets';
import { estimateTime } from './estimate';
import { memoryNeeded } from './memory';
import { shareOf } from './prefix-tree';
import type { SurveyReport } from './report-schema';
import type { Survey } from './survey';

/** How many prefixes are told. */
export const TOP_PREFIXES = 50;

/** Puts together what a dry run has learnt. Pure. */
export function makeSurveyReport(row: MigrationRow, survey: Survey, counts: Counts, complete: boolean): SurveyReport {
  const { plan } = row;
  const { fates } = survey;
  const side = (name: SideName) => ({
    name: nameOfSide(plan.request[name]),
    software: plan[name].software,
    version: plan[name].version,
  });
  const total = sumOf(survey.types);
  const hasTarget = plan.request.target !== null;
  const there = (amount: Amount) => (hasTarget ? amount : null);
  return {
    id: row.id,
    state: row.state,
    complete,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    source: side('source'),
    target: hasTarget ? side('target') : null,
    total,
    bytesAre: plan.source.abilities.memoryUsage ? 'memory' : 'payload',
    databases: plan.databases.map(({ database, targetDatabase, prefix, missingOnTarget }) => ({
      database,
      targetDatabase,
      prefix,
      missingOnTarget: missingOnTarget === true,
      ...survey.databases.get(String(database)),
    })),
    types: survey.types.entries().map(({ name, ...amount }) => ({ type: name, ...amount })),
    encodings: survey.encodings.entries().map(({ name, ...amount }) => {
      const [type = '', objectEncoding = ''] = name.split(' ');
      return { type, objectEncoding, ...amount };
    }),
    expiries: [
      { from: null, to: null, ...survey.expiries.get(NEVER) },
      ...expiryBounds.map((from, i) => ({
        from,
        to: expiryBounds[i + 1] ?? null,
        ...survey.expiries.get(String(from)),
      })),
    ],
    sizes: sizeBounds.map((from, i) => ({ from, to: sizeBounds[i + 1] ?? null, ...survey.sizes.get(String(from)) })),
    largestKeys: survey.largest.map(({ database, name, nameBytes, type, encoding, bytes }) => ({
      database,
      ...keyText(Buffer.from(name, 'latin1')),
      cut: nameBytes > name.length,
      type,
      objectEncoding: encoding,
      bytes,
    })),
    prefixes: topPrefixes(survey, total),
    outcome: {
      copied: fates.get('copied'),
      converted: { keys: counts.converted, bytes: fates.get('claimed').bytes },
      skippedByFilter: counts.skippedByFilter,
      skippedByConflict: there({ keys: counts.skippedByConflict, bytes: fates.get('skipped').bytes }),
      overwritten: there(fates.get('overwritten')),
      existing: there(fates.get('exists')),
      renamed: fates.get('renamed'),
      byCommands: there(fates.get('byCommands')),
      expired: counts.expired,
    },
    notCarriedOver: {
      unsupportedTypes: fates.get('unsupportedType'),
      withoutDatabase: fates.get('noDatabase'),
      losingFieldExpiries: fates.get('losesFieldExpiry'),
      functions: hasTarget ? librariesLeft(plan) : 0,
      payloadTooNew: plan.transport === 'commands' && plan.source.file === undefined,
    },
    obstacles: plan.obstacles ?? [],
    memory: hasTarget ? memoryNeeded(plan, survey, total) : null,
    time: hasTarget ? estimateTime(plan, survey, total) : null,
    warnings: plan.warnings,
  };
}

function sumOf(sums: AmountSums): Amount {
  const entries = sums.entries();
  return {
    keys: entries.reduce((sum, { keys }) => sum + keys, 0),
    bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** The prefixes with the largest shares of keys or bytes, each database in the order of its tree. */
function topPrefixes({ prefixes }: Survey, total: Amount): SurveyReport['prefixes'] {
  const all = [...prefixes]
    .sort(([a], [b]) => a - b)
    .flatMap(([database, tree]) => tree.weighty(total).map((amount) => ({ database, ...amount })));
  const chosen = new Set([...all].sort((a, b) => shareOf(b, total) - shareOf(a, total)).slice(0, TOP_PREFIXES));
  return all
    .filter((amount) => chosen.has(amount))
    .map(({ prefix, ...rest }) => ({ ...keyText(Buffer.from(prefix, 'latin1')), ...rest }));
}
