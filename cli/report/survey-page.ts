import type { SurveyReport } from '../../src/survey/report-schema';
import { bytes, count, counted, duration, sidesText } from '../display/words';
import { safeText } from '../../src/basics/safe-text';
import type { Bar, Charts } from './charts';
import { keyName } from './key-name';
import { html, type Markup } from './markup';
import { messages, reportDocument, table, tile } from './document';
import { expiryWords, outcomeLines, sentences, sizeWords } from './words';

const BARS = 12;

/** A dry run's report as one HTML page that needs nothing else: no script, no font, no request. */
export function surveyPage(report: SurveyReport, charts: Charts): string {
  const { total, source, target, obstacles, warnings, memory, time } = report;
  const size = report.bytesAre === 'memory' ? 'memory on the source' : 'payload';
  const title = `Dry run: ${sidesText(safeText(source.name), safeText(target?.name ?? ''))}`;
  const server = (side: SurveyReport['source']) => `${safeText(side.software)} ${safeText(side.version)}`;
  const intro = html`<p>
      ${sidesText(server(source), target === null ? '' : server(target))};
      ${report.startedAt.slice(0, 19).replace('T', ' ')} UTC; migration ${report.id}. Nothing was written.
    </p>
    ${report.complete ? '' : html`<p class="bad">The dry run is ${report.state}: these numbers are of the keys read until then.</p>`}`;
  const body = html`
    <section class="tiles">
      ${tile('keys', count(total.keys))} ${tile(size, bytes(total.bytes))} ${memory === null ? '' : memoryTiles(memory)}
      ${target === null ? '' : tile('time, about', time === null ? '–' : duration(time.seconds))}
    </section>
    ${messages(
      'A copy would be refused',
      'bad',
      obstacles.map(({ message }) => message),
    )}
    ${messages('Warnings', 'warn', warnings)}
    <section>
      <h2>${target === null ? 'What is in it' : 'What a copy would do'}</h2>
      ${table(
        ['', 'keys', size],
        outcomeLines(report).map((line) => [
          line.label,
          count(line.keys),
          line.bytes === null ? '–' : bytes(line.bytes),
        ]),
      )}
      ${sentences(report).map((sentence) => html`<p>${sentence}</p>`)}
    </section>
    ${databasesPart(report, charts, size)}
    ${amountsPart('Types and encodings', report.encodings, ({ type, objectEncoding }) => safeText(`${type}, ${objectEncoding}`), charts, size)}
    ${amountsPart('Expiry', filled(report.expiries), expiryWords, charts, size, 'keys')}
    ${amountsPart('Sizes of keys', filled(report.sizes), sizeWords, charts, size, 'keys')}
    ${prefixesPart(report, charts, size)} ${largestPart(report, charts, size)}
  `;
  return reportDocument(title, intro, body);
}

function memoryTiles({ needed, free, fits }: NonNullable<SurveyReport['memory']>): Markup {
  return html`${tile('memory needed', needed === null ? 'not known' : bytes(needed), fits === false)}
  ${tile('free on the target', free === null ? 'no limit set' : bytes(free), fits === false)}`;
}

interface Amount {
  readonly keys: number;
  readonly bytes: number;
}

function filled<T extends Amount>(buckets: readonly T[]): readonly T[] {
  return buckets.filter(({ keys }) => keys > 0);
}

function amountsPart<T extends Amount>(
  title: string,
  amounts: readonly T[],
  name: (amount: T) => string,
  charts: Charts,
  size: string,
  by: 'keys' | 'bytes' = 'bytes',
): Markup {
  if (amounts.length === 0) return html``;
  const bars = amounts.slice(0, BARS).map((amount): Bar => ({
    name: name(amount),
    value: amount[by],
    told: by === 'keys' ? counted(amount.keys, 'key') : bytes(amount.bytes),
  }));
  return html`<section>
    <h2>${title}</h2>
    ${charts.bars(title, bars)}
    ${table(
      ['', 'keys', size],
      amounts.map((amount) => [name(amount), count(amount.keys), bytes(amount.bytes)]),
    )}
  </section>`;
}

function databasesPart({ databases, target }: SurveyReport, charts: Charts, size: string): Markup {
  type Database = SurveyReport['databases'][number];
  const name = ({ database, targetDatabase, prefix, missingOnTarget }: Database) =>
    `${sidesText(String(database), target === null ? '' : String(targetDatabase))}${prefix === '' ? '' : `, ${safeText(prefix)}…`}${missingOnTarget ? ' (not there)' : ''}`;
  return amountsPart('Databases', databases, name, charts, size);
}

function prefixesPart({ prefixes, total }: SurveyReport, charts: Charts, size: string): Markup {
  if (prefixes.length === 0) return html``;
  const top = prefixes.filter(({ depth }) => depth === 0).sort((a, b) => b.bytes - a.bytes);
  const bars = top.slice(0, BARS).map((prefix): Bar => ({
    name: keyName(prefix),
    value: prefix.bytes,
    told: bytes(prefix.bytes),
  }));
  const rows = prefixes.map((prefix) => [
    html`<code style="padding-left:${prefix.depth * 1.5}em">${keyName(prefix, 120)}</code>`,
    String(prefix.database),
    `${count(prefix.keys)}${prefix.atMost.keys > prefix.keys ? ` to ${count(prefix.atMost.keys)}` : ''}`,
    bytes(prefix.bytes),
    total.bytes === 0 ? '–' : `${((100 * prefix.bytes) / total.bytes).toFixed(1)} %`,
  ]);
  return html`<section>
    <h2>Prefixes</h2>
    ${charts.bars('Prefixes', bars)} ${table(['prefix', 'database', 'keys', size, 'share'], rows)}
  </section>`;
}

function largestPart({ largestKeys }: SurveyReport, charts: Charts, size: string): Markup {
  if (largestKeys.length === 0) return html``;
  const bars = largestKeys.slice(0, BARS).map((key): Bar => ({
    name: keyName(key),
    value: key.bytes,
    told: bytes(key.bytes),
  }));
  const rows = largestKeys.map((key) => [
    html`<code>${keyName(key, 200)}</code>`,
    String(key.database),
    safeText(key.type),
    safeText(key.objectEncoding),
    bytes(key.bytes),
  ]);
  return html`<section>
    <h2>Largest keys</h2>
    ${charts.bars('Largest keys', bars)} ${table(['key', 'database', 'type', 'encoding', size], rows)}
  </section>`;
}
