import { bad } from './byte-reader';
import type { Element } from './element';

/** Longer ones no server writes, and before 7.0 no server has room for them. */
const LONGEST = 40;
const DECIMAL = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/;
const INFINITIES: ReadonlyMap<string, number> = new Map([
  ['inf', Infinity],
  ['-inf', -Infinity],
]);

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** So many digits are exact as a number, and so is the power of ten that they are divided by. */
const EXACT_DIGITS = 15;
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, i) => 10 ** i);

/** The score that an element of a packed sorted set stands for. @throws BadPayloadError, also for what is no number */
export function scoreOf(element: Element): number {
  if (element.kind === 'integer') return element.integer;
  if (element.kind === 'large') return Number(element.large);
  return scoreOfText(element.bytes, element.start, element.end);
}

/** @throws BadPayloadError */
export function scoreOfText(bytes: Buffer, start: number, end: number): number {
  if (start === end || end - start > LONGEST) bad('a score is no number');
  const simple = simpleDecimal(bytes, start, end);
  if (simple !== undefined) return simple;
  const text = bytes.toString('latin1', start, end);
  return INFINITIES.get(text) ?? (DECIMAL.test(text) ? Number(text) : bad('a score is no number'));
}

/** What has few digits and no exponent, as most scores. */
function simpleDecimal(bytes: Buffer, start: number, end: number): number | undefined {
  const negative = bytes[start] === MINUS;
  let digits = 0;
  let fraction = -1;
  let value = 0;
  for (let at = negative ? start + 1 : start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === POINT && fraction < 0 && digits > 0) fraction = 0;
    else if (byte >= ZERO && byte <= NINE) {
      if (++digits > EXACT_DIGITS) return undefined;
      value = 10 * value + byte - ZERO;
      if (fraction >= 0) fraction++;
    } else return undefined;
  }
  if (digits === 0 || fraction === 0) return undefined;
  if (fraction > 0) value /= POWERS[fraction] ?? 1;
  return negative ? -value : value;
}
