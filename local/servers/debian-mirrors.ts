import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Used where the machine's own package sources name no Debian mirror. */
export const defaultMirror = 'http://deb.debian.org/debian';
/** Where Debian keeps the releases that have left the mirrors. */
export const archiveMirror = 'http://archive.debian.org/debian';

const suites = /^(?:bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)$/;

/**
 * The Debian mirrors named by an apt sources file of either style (`deb URI suite main` lines, or deb822 paragraphs).
 * Security archives and the repositories of others are left out: a mirror's address ends in `/debian`, and it has `main`.
 */
export function mirrorsIn(text: string): string[] {
  const found: string[] = [];
  const consider = (uris: string[], named: string[], components: string[]): void => {
    if (!components.includes('main') || !named.some((suite) => suites.test(suite))) return;
    found.push(...uris.filter((uri) => /^https?:.*\/debian\/?$/.test(uri)));
  };
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s+(.*)$/.exec(line);
    if (match) consider([match[1] ?? ''], [match[2] ?? ''], (match[3] ?? '').trim().split(/\s+/));
  }
  for (const paragraph of text.split(/\n\s*\n/)) {
    const field = (name: string): string[] =>
      new RegExp(`^${name}:[ \\t]*(.+)$`, 'im').exec(paragraph)?.[1]?.trim().split(/\s+/) ?? [];
    if (field('Types').includes('deb')) consider(field('URIs'), field('Suites'), field('Components'));
  }
  return found.map((uri) => uri.replace(/\/$/, ''));
}

/** Mirrors worth trying, in this order: the machine's own, Debian's, Debian's archive. */
export async function mirrorCandidates(aptFolder = '/etc/apt'): Promise<string[]> {
  const parts = join(aptFolder, 'sources.list.d');
  const names = existsSync(parts) ? (await readdir(parts)).filter((name) => /\.(list|sources)$/.test(name)) : [];
  const files = [join(aptFolder, 'sources.list'), ...names.sort().map((name) => join(parts, name))];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return [...new Set([...texts.flatMap(mirrorsIn), defaultMirror, archiveMirror])];
}

/** The key ring that Debian's archives are checked with, or undefined where the machine has none. */
export function debianKeyring(): string | undefined {
  return ['gpg', 'pgp']
    .map((end) => `/usr/share/keyrings/debian-archive-keyring.${end}`)
    .find((file) => existsSync(file));
}
