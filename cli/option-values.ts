import { InvalidArgumentError } from 'commander';
import { catalogue } from '../src/convert/catalogue';

/** The value of `databases` in a request. */
export type Databases = 'all' | number[] | Record<string, number | string>;

/**
 * Reads `all`, `0,1,5` or `0=3,1=prefix:`.
 * @throws InvalidArgumentError
 */
export function parseDatabases(text: string): Databases {
  if (text.trim().toLowerCase() === 'all') return 'all';
  const parts = text.split(',').map((part) => part.trim());
  if (!parts.some((part) => part.includes('='))) return parts.map(databaseNumber);
  const map: Record<string, number | string> = {};
  for (const part of parts) {
    const at = part.indexOf('=');
    if (at < 0) throw new InvalidArgumentError(`"${part}" has no "=": give either a list or a map.`);
    const from = String(databaseNumber(part.slice(0, at)));
    const to = part.slice(at + 1);
    if (to === '') throw new InvalidArgumentError(`"${part}" names no database and no prefix after "=".`);
    if (from in map) throw new InvalidArgumentError(`Database ${from} is named twice.`);
    map[from] = /^\d+$/.test(to) ? databaseNumber(to) : to;
  }
  return map;
}

function databaseNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text.trim())) {
    throw new InvalidArgumentError(
      `"${text}" is not a database number. Give all, a list (0,1,5) or a map (0=3,1=old:).`,
    );
  }
  return Number(text);
}

/** One rule of `--rename`, after those before it: `from=>to`. @throws InvalidArgumentError */
export function addRename(text: string, before: readonly RenameRule[] = []): RenameRule[] {
  const at = text.indexOf('=>');
  if (at < 1) throw new InvalidArgumentError('Give a regular expression and what replaces its match: "^old:=>new:".');
  return [...before, { from: text.slice(0, at), to: text.slice(at + 2) }];
}

export interface RenameRule {
  from: string;
  to: string;
}

/** One converter of `--convert`, after those before it: its name, or an object with its options. @throws InvalidArgumentError */
export function addConverter(text: string, before: readonly unknown[] = []): unknown[] {
  if (!text.trimStart().startsWith('{')) return [...before, text];
  try {
    return [...before, JSON.parse(text)];
  } catch {
    throw new InvalidArgumentError(`Not JSON, for example: ${catalogue[0]?.example ?? ''}`);
  }
}

/** A list separated by commas. @throws InvalidArgumentError when there is nothing in it */
export function parseList(text: string): string[] {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw new InvalidArgumentError('Nothing is named.');
  return parts;
}

/** A whole number from 0. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Not a whole number.');
  return Number(text);
}

/** A number from 0, with or without a fraction. @throws InvalidArgumentError */
export function parseAmount(text: string): number {
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(text)) throw new InvalidArgumentError('Not a number such as 2 or 0.5.');
  return Number(text);
}

/** A whole number from 1. @throws InvalidArgumentError */
export function parsePositive(text: string): number {
  const count = parseCount(text);
  if (count === 0) throw new InvalidArgumentError('Must be at least 1.');
  return count;
}
