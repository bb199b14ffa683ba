import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const FILE = path.join(__dirname, '..', '..', 'bench', 'RESULTS.md');
const TITLE = '# Results of the bench';

/** Writes one section of bench/RESULTS.md; the others stay as they are. */
export async function writeSection(heading: string, body: readonly string[]): Promise<void> {
  const before = await readFile(FILE, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  });
  await writeFile(FILE, withSection(before, heading, body));
}

/** A Markdown text in which one section of the second level is replaced, or added at the end. */
export function withSection(text: string, heading: string, body: readonly string[]): string {
  const [head = '', ...sections] = text.trim().split(/^(?=## )/m);
  // Before there were sections, the file was the outcome of one bench.
  const title = sections.length === 0 || head.trim() === '' ? TITLE : head;
  const section = [`## ${heading}`, '', ...body].join('\n');
  const at = sections.findIndex((other) => other.split('\n', 1)[0] === `## ${heading}`);
  const kept = at === -1 ? [...sections, section] : sections.with(at, section);
  return `${[title, ...kept].map((part) => part.trim()).join('\n\n')}\n`;
}

/** When and by which command this process measures: the script's name, with the options that were given. */
export function measuredBy(script: string): string {
  const command = ['npm run', script, '--', ...process.argv.slice(2)].join(' ');
  return `Measured on ${new Date().toISOString().slice(0, 10)} by \`${command}\``;
}

/** One row of a Markdown table. */
export function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
