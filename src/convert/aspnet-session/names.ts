import type { Fields } from './fields';
import { FormatError } from './format-error';

/**
 * Item names as the collection's comparer, StringComparer.InvariantCultureIgnoreCase, sees them. Two equal names in one
 * blob make version 5 drop the whole session, so names are taken for equal whenever any .NET would say so:
 *
 * - .NET Framework compares by Windows' own tables (NLS): canonically equal text is equal, differences of case and of
 *   form only (²/2, ﬁ/fi) do not count, ignorable characters (soft hyphen, joiners, controls) vanish, and some letters
 *   are two (ß/ss, æ/ae, œ/oe, þ/th).
 * - .NET elsewhere compares by ICU at secondary strength with kana and width kept apart. `Intl.Collator` is that ICU,
 *   but folds kana and width, which would throw different items together (ＩＤ and ID); so those letters are put out of
 *   its reach first.
 *
 * Version 4 itself keeps its items in a collection with the same comparer, so it too would show such names as one.
 */
const collator = new Intl.Collator('und', { usage: 'sort', sensitivity: 'accent', ignorePunctuation: false });

/** Beyond this many bytes of names that need the slow comparison, a session is refused. Real ones have some hundreds. */
export const MAX_COMPARED_NAME_BYTES = 1024 * 1024;

const IGNORABLE = /[\p{Default_Ignorable_Code_Point}\p{Cf}]|(?![\t\n\v\f\r\u0085])\p{Cc}/gu;
const KANA_OR_WIDTH = /[\u3041-\u309f\u30a1-\u30ff\uff01-\uff3b\uff3d-\uff5e\uff61-\uffe6]/gu;
/** Small kana are written like big ones as far as case goes. */
const SMALL_KANA = new Map(
  [
    ['ぁぃぅぇぉっゃゅょゎゕゖ', 'あいうえおつやゆよわかけ'],
    ['ァィゥェォッャュョヮヵヶ', 'アイウエオツヤユヨワカケ'],
  ].flatMap(([small = '', big = '']) => Array.from(small, (char, i) => [char, big.charAt(i)] as const)),
);
const TWO_LETTERS = /[ÆŒÞ]/g;
const EXPANDED: Readonly<Record<string, string>> = { Æ: 'AE', Œ: 'OE', Þ: 'TH' };
const PRIVATE_PLANE = 0xf0000;

/**
 * For each name the index of the first name that .NET takes for the same one (its own, if it is the first).
 * Names are UTF-8. Linear for names of printable ASCII; else a sort, for which FormatError 'limit' sets a bound.
 */
export function firstEqualNames(names: readonly Buffer[]): number[] {
  let plain = true;
  let size = 0;
  for (const name of names) {
    plain &&= isPrintableAscii(name);
    size += name.length;
  }
  if (plain) return firstByKey(names.map((name) => name.toString('latin1').toLowerCase()));
  if (size > MAX_COMPARED_NAME_BYTES) {
    throw new FormatError('limit', 0, `item names of more than ${MAX_COMPARED_NAME_BYTES} bytes`);
  }
  const texts = names.map((name) => name.toString('utf8'));
  return firstByCollation(texts, firstByKey(texts.map(foldName)));
}

/** What .NET Framework's comparer keeps of a name, as far as Unicode's own data tell: equal folds are equal names. */
export function foldName(name: string): string {
  let upper = '';
  // Full upper case turns ß into SS and ﬁ into FI. The dotless ı stays: only Turkish takes it for an I.
  for (const char of name) upper += char === 'ı' ? char : char.toUpperCase();
  return upper
    .normalize('NFD')
    .replace(IGNORABLE, '')
    .replace(TWO_LETTERS, (letter) => EXPANDED[letter] ?? letter);
}

/**
 * Whether names certainly differ from one another: printable ASCII, and no two of the same hash. Nearly all names are
 * such, and this says so without a string for each. Where it says no, firstEqualNames tells.
 */
export function surelyDiffer(fields: Fields): boolean {
  const hashes = new Set<number>();
  for (let i = 0; i < fields.count; i++) {
    const hash = foldedHash(fields.bytes, fields.nameStart(i), fields.nameEnd(i));
    if (hash === undefined) return false;
    hashes.add(hash);
  }
  return hashes.size === fields.count;
}

/** FNV-1a of a name of printable ASCII, the same for either case; undefined for another name. */
function foldedHash(bytes: Buffer, start: number, end: number): number | undefined {
  let hash = 0x811c_9dc5;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e) return undefined;
    hash = Math.imul(hash ^ (byte | LOWER_CASE), 0x0100_0193);
  }
  // 30 bits: what V8 keeps without an object.
  return (hash ^ (hash >>> 16)) & 0x3fff_ffff;
}

/** The bit that tells a small letter from its big one; other signs that it throws together only cost a closer look. */
const LOWER_CASE = 0x20;

function firstByKey(keys: readonly string[]): number[] {
  const first = new Map<string, number>();
  return keys.map((key, index) => {
    const known = first.get(key);
    if (known !== undefined) return known;
    first.set(key, index);
    return index;
  });
}

/** Joins the groups of `first` that the collator takes for equal. */
function firstByCollation(texts: readonly string[], first: readonly number[]): number[] {
  const heads = first.flatMap((head, index) => (head === index ? [{ index, text: shelter(texts[index] ?? '') }] : []));
  heads.sort((a, b) => collator.compare(a.text, b.text) || a.index - b.index);
  const joined = new Map<number, number>();
  let group = heads[0];
  for (const head of heads) {
    if (group === undefined || collator.compare(group.text, head.text) !== 0) group = head;
    joined.set(head.index, group.index);
  }
  return first.map((head) => joined.get(head) ?? head);
}

/** Gives kana, half-width and full-width letters places of their own in the private planes. */
function shelter(text: string): string {
  return text.normalize('NFC').replace(KANA_OR_WIDTH, (char) => {
    const base = SMALL_KANA.get(char) ?? char.toUpperCase();
    return String.fromCodePoint(PRIVATE_PLANE + base.charCodeAt(0));
  });
}

function isPrintableAscii(name: Buffer): boolean {
  for (const byte of name) if (byte < 0x20 || byte > 0x7e) return false;
  return true;
}
