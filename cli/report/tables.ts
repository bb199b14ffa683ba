import type { SurveyReport } from '../../src/survey/report-schema';
import { render } from '../display/accounting';
import { bytes, count, counted, sidesText } from '../display/words';
import { safeText } from '../../src/basics/safe-text';
import { keyName } from './key-name';
import { expiryWords, outcomeLines, sentences, sizeWords } from './words';

const SHOWN_KEYS = 15;
const SHOWN_PREFIXES = 25;

/** A dry run's report as tables for a terminal. */
export function surveyTables(report: SurveyReport): string {
  const { total, databases, encodings, expiries, sizes, largestKeys, prefixes, obstacles, warnings } = report;
  const size = report.bytesAre === 'memory' ? 'memory' : 'payload';
  const parts = [
    headline(report),
    amounts(report.target === null ? 'what is in it' : 'what a copy would do', size, outcomeLines(report)),
    ...sentences(report),
    amounts(
      'database',
      size,
      databases.map(({ database, targetDatabase, prefix, missingOnTarget, ...amount }) => ({
        label: `${sidesText(String(database), report.target === null ? '' : String(targetDatabase))}${prefix === '' ? '' : ` as ${safeText(prefix, 30)}…`}${missingOnTarget ? ' (not there!)' : ''}`,
        ...amount,
      })),
    ),
    amounts(
      'type and encoding',
      size,
      encodings.map(({ type, objectEncoding, ...amount }) => ({
        label: safeText(`${type}, ${objectEncoding}`),
        ...amount,
      })),
    ),
    amounts('expires in', size, named(expiries, expiryWords)),
    amounts('size of the key', size, named(sizes, sizeWords)),
  ];
  if (largestKeys.length > 0) {
    const rows = largestKeys
      .slice(0, SHOWN_KEYS)
      .map((key) => [keyName(key, 50), String(key.database), safeText(key.type), bytes(key.bytes)]);
    parts.push(render(rows, [`largest keys${more(largestKeys.length, SHOWN_KEYS)}`, 'db', 'type', size]));
  }
  if (prefixes.length > 0) {
    const rows = prefixes
      .slice(0, SHOWN_PREFIXES)
      .map((prefix) => [
        `${'  '.repeat(prefix.depth)}${keyName(prefix, 50)}`,
        String(prefix.database),
        `${count(prefix.keys)}${prefix.atMost.keys > prefix.keys ? '+' : ''}`,
        bytes(prefix.bytes),
        share(prefix.bytes, total.bytes),
      ]);
    const head = [`prefixes${more(prefixes.length, SHOWN_PREFIXES)}`, 'db', 'keys', size, 'share'];
    parts.push(render(rows, head, 'right'));
  }
  if (obstacles.length > 0) {
    parts.push(['A copy would be REFUSED:', ...obstacles.map(({ message }) => `  - ${safeText(message)}`)].join('\n'));
  }
  if (warnings.length > 0) parts.push(['Warnings:', ...warnings.map((text) => `  - ${safeText(text)}`)].join('\n'));
  return parts.join('\n');
}

function headline({ id, state, complete, total, bytesAre, source, target }: SurveyReport): string {
  const named = (side: { readonly name: string; readonly version: string }) =>
    `${safeText(side.name)} (${safeText(side.version)})`;
  const what = complete ? 'has read' : `is ${state} and has read`;
  const size = bytesAre === 'memory' ? 'of memory' : 'of payload';
  return `Dry run ${id} ${what} ${counted(total.keys, 'key')}, ${bytes(total.bytes)} ${size}, and has written nothing: ${sidesText(named(source), target === null ? '' : named(target))}.`;
}

interface Line {
  readonly label: string;
  readonly keys: number;
  readonly bytes: number | null;
}

function amounts(head: string, size: string, lines: readonly Line[]): string {
  const rows = lines.map(({ label, keys, bytes: taken }) => [label, count(keys), taken === null ? '–' : bytes(taken)]);
  return render(rows, [head, 'keys', size], 'right');
}

/** The buckets that hold something. */
function named<T extends { readonly keys: number; readonly bytes: number }>(
  buckets: readonly T[],
  words: (bucket: T) => string,
): Line[] {
  return buckets
    .filter(({ keys }) => keys > 0)
    .map((bucket) => ({ label: words(bucket), keys: bucket.keys, bytes: bucket.bytes }));
}

function share(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`;
}

function more(all: number, shown: number): string {
  return all > shown ? ` (${shown} of ${all}; --report has all)` : '';
}
