import Table from 'cli-table3';
import { findingCatalogue } from '../../src/migration/finding-catalogue';
import type { FindingReport } from '../../src/api/documents';
import { sideNames } from '../../src/migration/phases';
import { onlyCounted, type MigrationReport } from '../../src/migration/report';
import type { ShardReport } from '../../src/migration/shards';
import { writersWords } from './progress-view';
import { bytes, count, counted, duration, known } from './words';
import { safeText } from '../../src/basics/safe-text';

export interface AccountingOptions {
  /** The first findings, if there are any. */
  readonly findings: readonly FindingReport[];
  /** The command that shows all of them. */
  readonly findingsCommand: string;
  /** What stands behind each connection's name, where that is known here. */
  readonly addresses?: { readonly source: string; readonly target: string };
}

/** What became of every key, for people. */
export function accounting(report: MigrationReport, options: AccountingOptions): string {
  const parts = [
    headline(report),
    sides(report, options.addresses),
    ...shardTables(report),
    keys(report),
    pace(report),
    ...cutOver(report),
  ];
  if (report.warnings.length > 0) {
    parts.push(['Warnings:', ...report.warnings.map((warning) => `  - ${safeText(warning)}`)].join('\n'));
  }
  if (report.findings > 0) parts.push(findingsPart(report, options));
  return parts.join('\n');
}

/** How it ended, or how far it is, in a sentence. */
export function headline(report: MigrationReport): string {
  const { tally, counts } = report;
  const done = `${counted(tally.accountedKeys, 'key')} accounted for`;
  const cause = report.cause === null ? '' : ` ${safeText(report.cause)}`;
  switch (report.state) {
    case 'completed':
      if (report.mode === 'compare') return comparisonWith(report);
      return `Migration ${report.id} is complete: ${done}, none failed${tally.missing === 0 ? ', none missing' : ''}.`;
    case 'completedWithDifferences':
      if (report.mode === 'compare') return comparisonWith(report);
      return `Migration ${report.id} is complete WITH DIFFERENCES: ${done}, ${count(counts.failed)} failed, ${tally.missing === null ? 'an unknown number' : count(tally.missing)} missing, ${counted(report.findings, 'finding')}.`;
    case 'failed':
      return `Migration ${report.id} FAILED.${cause} ${done}.`;
    case 'cancelled':
      return `Migration ${report.id} was cancelled: ${done} until then.`;
    default:
      return `Migration ${report.id} is ${report.state}: ${report.progress.percent.toFixed(1)} %, ${done}.`;
  }
}

function comparisonWith({ id, state, counts, tally, findings }: MigrationReport): string {
  if (state === 'completed')
    return `Comparison ${id}: both sides are the same, ${counted(counts.same, 'key')} compared.`;
  if (findings === 0 && counts.different === 0) {
    return `Comparison ${id}: no difference was found in ${counted(counts.same, 'key')}, but it is in doubt whether all were seen: see the warnings.`;
  }
  const { same, different, extra, uncompared } = counts;
  const unknown = uncompared === 0 ? '' : `, of ${counted(uncompared, 'key')} it is not known`;
  const differences = findings - uncompared;
  if (differences === 0 && different === 0) {
    return `Comparison ${id}: no difference was found in ${counted(same, 'key')}${unknown}: see the findings.`;
  }
  const parts = [
    `${count(tally.missing)} missing`,
    `${count(different)} different`,
    `${count(extra)} extra on the target`,
  ];
  return `Comparison ${id}: ${counted(differences, 'DIFFERENCE', 'DIFFERENCES')}: ${parts.join(', ')}; ${counted(same, 'key')} the same${unknown}.`;
}

function sides({ source, target }: MigrationReport, addresses?: AccountingOptions['addresses']): string {
  const name = (connection: string, address?: string) =>
    safeText(address === undefined ? connection : `${connection} (${address})`, 60);
  return render(
    [
      ['connection', name(source.name, addresses?.source), name(target.name, addresses?.target)],
      ['version', safeText(source.version), safeText(target.version)],
      ['keys at the start', known(source.keysAtStart), known(target.keysAtStart)],
      ['keys now', known(source.keysNow), known(target.keysNow)],
    ],
    ['', 'source', 'target'],
  );
}

/** The masters of each side that is a cluster, a line each. */
function shardTables(report: MigrationReport): string[] {
  return sideNames.flatMap((side) => {
    const shards = report.shards?.[side];
    if (shards === undefined) return [];
    return [
      render(
        shards.map((shard) => shardLine(shard)),
        [`masters of ${safeText(report[side].name, 40)}`, ...shardHead],
        'right',
      ),
    ];
  });
}

/** What is told of a master beside its name. */
export const shardHead = ['slots', 'keys', 'walked', 'done', 'trouble'];

/** A master of a cluster: its name, and what `shardHead` names. */
export function shardLine({ node, slots, keys, walked, percent, trouble }: ShardReport): string[] {
  return [
    node === null ? 'none' : safeText(node, 60),
    count(slots),
    known(keys),
    percent === null ? '' : known(walked),
    percent === null ? '' : `${percent.toFixed(1)} %`,
    trouble === null ? '' : safeText(trouble, 120),
  ];
}

function keys(report: MigrationReport): string {
  return render(
    keyLines(report).map(([label, value]) => [label, value === null ? unlooked(report) : count(value)]),
    ['what became of the keys', 'keys'],
    'right',
  );
}

/** Why a number is not told: nobody looked, or what was found is not all. */
function unlooked({ findings }: MigrationReport): string {
  return findings > 0 ? 'unknown' : 'not looked';
}

/** What became of the keys, a line for each; null where nobody looked. */
export function keyLines({ mode, counts, tally }: MigrationReport): readonly [label: string, keys: number | null][] {
  return [
    ['scanned', counts.scanned],
    ['seen twice (repeats)', counts.repeats],
    ['copied', counts.copied],
    ['converted', counts.converted],
    ['skipped by filter', counts.skippedByFilter],
    ['skipped, already on the target', counts.skippedByConflict],
    ['expired or deleted on the way', counts.expired],
    ['failed', counts.failed],
    ...(mode === 'copy' ? [] : compared(mode, counts)),
    ['accounted for', tally.accountedKeys],
    ['missing on the target', tally.missing],
  ];
}

/** A sync looks for extra keys only where it deletes them. */
function compared(
  mode: MigrationReport['mode'],
  { same, different, uncompared, extra, deleted }: MigrationReport['counts'],
): [string, number][] {
  if (mode === 'sync' && extra + deleted + different + uncompared === 0) return [['the same on both sides', same]];
  return [
    ['the same on both sides', same],
    ['different', different],
    ...(uncompared === 0 ? [] : [['not compared', uncompared] satisfies [string, number]]),
    ['extra on the target', extra],
    ['deleted from the target', deleted],
  ];
}

/** What was seen before it was said that nothing is left. */
function cutOver({ live }: MigrationReport): string[] {
  const { proof = null, writers = null } = live?.cutover ?? {};
  if (proof === null) return [];
  const wrote = writersWords(writers);
  return [
    `Cut-over: the source was quiet since ${proof.quietSince}; ${counted(proof.names, 'changed key')} left then, all proved in ${count(proof.drainMs)} ms; ${counted(proof.streams, 'stream')} copied again.${wrote === '' ? '' : ` Wrote last: ${wrote}.`}`,
  ];
}

function pace({ startedAt, finishedAt, progress, counts }: MigrationReport): string {
  const time =
    finishedAt === null
      ? `Started ${startedAt.slice(0, 19).replace('T', ' ')} UTC`
      : `Took ${duration(Math.max(0, (Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000))}`;
  return `${time}, ${count(progress.keysPerSecond)} keys/s, ${bytes(counts.bytes)} of payload written.`;
}

function findingsPart(report: MigrationReport, { findings, findingsCommand }: AccountingOptions): string {
  const more = report.findings - findings.length;
  const lines = [`${counted(report.findings, 'finding')}:`, findingsTable(findings), ...meaningsOf(findings)];
  if (more > 0) lines.push(`${count(more)} more: ${findingsCommand}`);
  const rest = onlyCounted(report);
  if (rest !== undefined) lines.push(rest);
  return lines.join('\n');
}

/** Findings with what a terminal can show of their keys. */
export function findingsTable(findings: readonly FindingReport[]): string {
  return render(
    findings.map(({ database, key, encoding, code, message }) => [
      String(database),
      safeText(encoding === 'base64' ? `base64:${key}` : key, 40),
      safeText(code),
      safeText(message, 160),
    ]),
    ['database', 'key', 'code', 'message'],
  );
}

/** What the codes of findings mean and what to do, a line each; none for codes that are not known here. */
export function meaningsOf(findings: readonly FindingReport[]): string[] {
  return [...new Set(findings.map(({ code }) => code))].flatMap((code) => {
    const meaning = Object.hasOwn(findingCatalogue, code) ? findingCatalogue[code] : undefined;
    if (meaning === undefined) return [];
    const { means, onTarget, todo } = meaning;
    const where = onTarget ? '' : ' (not on the target)';
    return [`${code}${where}: the key ${means}. Do: ${todo}.`.replaceAll('`', '')];
  });
}

/** A table without colours, whose columns but the first are aligned as said. */
export function render(rows: readonly string[][], head: string[], align: 'left' | 'right' = 'left'): string {
  const table = new Table({
    head,
    style: { head: [], border: [] },
    // No lines between rows.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    colAligns: head.map((_, index) => (index === 0 ? 'left' : align)),
  });
  table.push(...rows);
  return underlineHead(table.toString());
}

/** The line below the head goes with the lines between rows; this puts it back, made from the first line. */
function underlineHead(table: string): string {
  const [top = '', head = '', ...rest] = table.split('\n');
  const line = top.replace('┌', '├').replaceAll('┬', '┼').replace('┐', '┤');
  return [top, head, line, ...rest].join('\n');
}
