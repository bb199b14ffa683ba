import type { MigrationRow, MigrationState } from '../migration/rows';
import type { Counts } from '../migration/counts';
import type { Obstacle } from '../migration/plan';
import { keyText } from '../migration/key-text';
import type { AmountSums, Amount } from './amount';
import { expiryBounds, NEVER, sizeBounds } from './buckets';
import { estimateTime, type TimeEstimate } from './estimate';
import { memoryNeeded, type MemoryReport } from './memory';
import { shareOf } from './prefix-tree';
import type { Survey } from './survey';

/** How many prefixes are told. */
export const TOP_PREFIXES = 50;

/** Key names are text where they are UTF-8, otherwise base64. */
export interface NameText {
  readonly key: string;
  readonly encoding: 'utf8' | 'base64';
}

/** The document of GET /api/migrations/{id}/report, of a dry run. Sizes in bytes. */
export interface SurveyReport {
  readonly id: string;
  readonly state: MigrationState;
  /** All ranges were read; otherwise the numbers are of those keys that were read until now. */
  readonly complete: boolean;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly source: { readonly name: string; readonly software: string; readonly version: string };
  readonly target: { readonly name: string; readonly software: string; readonly version: string };
  readonly total: Amount;
  /** What `bytes` are: MEMORY USAGE of the source (an estimate by the server itself), or the length of DUMP payloads. */
  readonly bytesAre: 'memory' | 'payload';
  readonly databases: readonly (Amount & {
    readonly database: number;
    readonly targetDatabase: number;
    readonly prefix: string;
    readonly missingOnTarget: boolean;
  })[];
  readonly types: readonly (Amount & { readonly type: string })[];
  readonly encodings: readonly (Amount & { readonly type: string; readonly objectEncoding: string })[];
  /** Seconds left; `from` null for keys that never expire, `to` null for no end. */
  readonly expiries: readonly (Amount & { readonly from: number | null; readonly to: number | null })[];
  readonly sizes: readonly (Amount & { readonly from: number; readonly to: number | null })[];
  readonly largestKeys: readonly (NameText & {
    readonly database: number;
    /** Only the first bytes of the name are told. */
    readonly cut: boolean;
    readonly type: string;
    readonly objectEncoding: string;
    readonly bytes: number;
  })[];
  /** In the order of the tree. `atMost` is more than the amount where there were too many prefixes to count exactly. */
  readonly prefixes: readonly (Amount &
    NameText & { readonly database: number; readonly depth: number; readonly atMost: Amount })[];
  /** What a copy would do. */
  readonly outcome: {
    readonly copied: Amount;
    readonly converted: Amount;
    readonly skippedByFilter: number;
    readonly skippedByConflict: Amount;
    readonly overwritten: Amount;
    /** Keys whose names the target has already, whatever would come of it. */
    readonly existing: Amount;
    readonly renamed: Amount;
    /** Of those copied: by ordinary commands in chunks, since they are big or their payloads are not understood. */
    readonly byCommands: Amount;
    readonly expired: number;
  };
  readonly notCarriedOver: {
    readonly unsupportedTypes: Amount;
    readonly withoutDatabase: Amount;
    readonly losingFieldExpiries: Amount;
    /** Function libraries, which are no keys. */
    readonly functions: number;
    /** The target does not read the source's payloads: every key goes by ordinary commands. */
    readonly payloadTooNew: boolean;
  };
  readonly obstacles: readonly Obstacle[];
  readonly memory: MemoryReport;
  /** Null where nothing was read. */
  readonly time: TimeEstimate | null;
  readonly warnings: readonly string[];
}

/** Puts together what a dry run has learnt. Pure. */
export function makeSurveyReport(row: MigrationRow, survey: Survey, counts: Counts, complete: boolean): SurveyReport {
  const { plan } = row;
  const { fates } = survey;
  const side = (name: 'source' | 'target') => ({
    name: plan.request[name],
    software: plan[name].software,
    version: plan[name].version,
  });
  const total = sumOf(survey.types);
  return {
    id: row.id,
    state: row.state,
    complete,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    source: side('source'),
    target: side('target'),
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
      skippedByConflict: { keys: counts.skippedByConflict, bytes: fates.get('skipped').bytes },
      overwritten: fates.get('overwritten'),
      existing: fates.get('exists'),
      renamed: fates.get('renamed'),
      byCommands: fates.get('byCommands'),
      expired: counts.expired,
    },
    notCarriedOver: {
      unsupportedTypes: fates.get('unsupportedType'),
      withoutDatabase: fates.get('noDatabase'),
      losingFieldExpiries: fates.get('losesFieldExpiry'),
      functions: plan.source.abilities.functions,
      payloadTooNew: plan.transport === 'commands',
    },
    obstacles: plan.obstacles ?? [],
    memory: memoryNeeded(plan, survey, total),
    time: estimateTime(plan, survey, total),
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
