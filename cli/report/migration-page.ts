import type { FindingReport } from '../../src/api/documents';
import { onlyCounted, type MigrationReport } from '../../src/migration/report';
import { sideNames } from '../../src/migration/phases';
import { headline, keyLines, shardHead, shardLine } from '../display/accounting';
import { bytes, count, duration, known, sidesText } from '../display/words';
import { safeText } from '../../src/basics/safe-text';
import type { Charts } from './charts';
import { messages, reportDocument, table, tile } from './document';
import { keyName } from './key-name';
import { html, type Markup } from './markup';

const titles: Readonly<Record<MigrationReport['mode'], string>> = {
  copy: 'Copy',
  'dry-run': 'Dry run',
  compare: 'Comparison',
  sync: 'Sync',
  live: 'Live',
};

/**
 * A migration's document as one HTML page, with its findings.
 * @param findings all of them, or the first ones
 */
export function migrationPage(report: MigrationReport, findings: readonly FindingReport[], charts: Charts): string {
  const { source, target, counts, tally, startedAt, finishedAt } = report;
  const title = `${titles[report.mode]}: ${sidesText(safeText(source.name), safeText(target.name))}`;
  const intro = html`<p>
      ${sidesText(safeText(source.version), safeText(target.version))}; ${startedAt.slice(0, 19).replace('T', ' ')} UTC;
      migration ${report.id}.
    </p>
    <p ${report.state === 'completed' ? '' : 'class=bad'}>${headline(report)}</p>`;
  const seconds = finishedAt === null ? null : (Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000;
  const compares = report.mode === 'compare' || report.mode === 'sync';
  const body = html`
    <section class="tiles">
      ${tile('keys on the source', known(tally.sourceKeys))} ${tile('accounted for', count(tally.accountedKeys))}
      ${compares ? tile('the same', count(counts.same)) : tile('copied', count(counts.copied))}
      ${tile('findings', count(report.findings), report.findings > 0)}
      ${tile('time', seconds === null ? '–' : duration(Math.max(0, seconds)))}
      ${report.mode === 'compare' ? '' : tile('payload written', bytes(counts.bytes))}
    </section>
    ${messages('Warnings', 'warn', report.warnings)} ${keysPart(report, charts)} ${shardsPart(report)}
    ${findingsPart(report, findings)}
  `;
  return reportDocument(title, intro, body);
}

function keysPart(report: MigrationReport, charts: Charts): Markup {
  const lines = keyLines(report);
  const bars = lines.flatMap(([name, keys]) =>
    keys === null || keys === 0 ? [] : [{ name, value: keys, told: count(keys) }],
  );
  return html`<section>
    <h2>What became of the keys</h2>
    ${charts.bars('What became of the keys', bars)}
    ${table(
      ['', 'keys'],
      lines.map(([label, keys]) => [label, keys === null ? 'not looked' : count(keys)]),
    )}
  </section>`;
}

function shardsPart(report: MigrationReport): Markup {
  const parts = sideNames.flatMap((side) => {
    const shards = report.shards?.[side];
    if (shards === undefined) return [];
    return [
      html`<section>
        <h2>Masters of ${safeText(report[side].name)}</h2>
        ${table(
          ['master', ...shardHead],
          shards.map((shard) => shardLine(shard)),
        )}
      </section>`,
    ];
  });
  return html`${parts}`;
}

function findingsPart(report: MigrationReport, findings: readonly FindingReport[]): Markup {
  if (findings.length === 0) return html``;
  const rows = findings.map((finding) => [
    html`<code>${keyName(finding, 200)}</code>`,
    String(finding.database),
    safeText(finding.code),
    safeText(finding.message),
  ]);
  const more = report.findings - findings.length;
  return html`<section>
    <h2>Findings</h2>
    ${more > 0 ? html`<p>The first ${count(findings.length)} of ${count(report.findings)}. ${onlyCounted(report) ?? ''}</p>` : ''}
    ${table(['key', 'database', 'code', 'message'], rows)}
  </section>`;
}
