import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const FILE = path.join(__dirname, '..', '..', 'bench', 'RESULTS.md');

/** Writes one section of bench/RESULTS.md, in the place of an earlier one with the same title; the others stay. */
export async function writeSection(title: string, lines: readonly string[]): Promise<void> {
  const text = await readFile(FILE, 'utf8').catch(() => '# Results of the bench\n');
  const sections = text.split(/\n(?=## )/).map((section) => section.trimEnd());
  const section = [`## ${title}`, '', ...lines].join('\n').trimEnd();
  const at = sections.findIndex((one) => one.startsWith(`## ${title}\n`));
  if (at < 0) sections.push(section);
  else sections[at] = section;
  await writeFile(FILE, `${sections.join('\n\n')}\n`);
}
