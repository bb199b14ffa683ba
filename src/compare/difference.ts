import { expiryByClock } from '../redis/expiry';
import type { KeyFacts } from './key-facts';

/** How one key differs: a word for programs, and both sides' facts for people. */
export interface Difference {
  readonly code:
    | 'missing'
    | 'different-type'
    | 'different-length'
    | 'different-value'
    | 'different-expiry'
    | 'different-field-expiry'
    | 'not-compared'
    | 'extra';
  readonly message: string;
}

/** What was found of one key on both sides. */
export interface BothSides {
  readonly source: KeyFacts;
  readonly target: KeyFacts | undefined;
  /** The target's clock minus the source's, ms. */
  readonly targetMinusSource: number;
  readonly valuesAgree: boolean;
  /** Why the values cannot be compared, where that is so. */
  readonly incomparable?: string | undefined;
  readonly expiriesAgree: boolean;
  readonly fieldsThatDiffer: number;
}

/** The difference between both sides of a key; undefined where there is none. */
export function differenceOf(sides: BothSides): Difference | undefined {
  const { source, targetMinusSource, valuesAgree, incomparable, expiriesAgree, fieldsThatDiffer } = sides;
  const target = sides.target && byClockOfSource(sides.target, targetMinusSource);
  if (target === undefined) {
    return missing(source);
  }
  const reasons: [Difference['code'], string][] = [];
  const ofOneType = source.type === target.type;
  const comparable = incomparable === undefined;
  if (!ofOneType) reasons.push(['different-type', 'Its type differs']);
  else if (comparable && source.length !== target.length) reasons.push(['different-length', 'Its length differs']);
  else if (comparable && !valuesAgree) reasons.push(['different-value', 'Its value differs']);
  if (!expiriesAgree) reasons.push(['different-expiry', `Its expiry differs${by(source.expiry, target.expiry)}`]);
  if (fieldsThatDiffer > 0) {
    reasons.push(['different-field-expiry', `The expiry of ${fieldsThatDiffer} of its fields differs`]);
  }
  // Behind all that is known to differ.
  if (ofOneType && !comparable) reasons.push(['not-compared', incomparable]);
  const [first] = reasons;
  return (
    first &&
    told(first[0], () => {
      const clocks = target.expiry === 0 ? '' : tellClocks(targetMinusSource);
      const facts = `source: ${described(source)}; target: ${described(target)}${clocks}.`;
      return `${reasons.map(([, words]) => words).join('. ')}. On the ${facts}`;
    })
  );
}

/** For a key that the target does not have. */
export function missing(source: KeyFacts): Difference {
  return told('missing', () => `The key is on the source (${described(source)}) and not on the target.`);
}

/** The same where nothing else is known of it. */
export const MISSING: Difference = { code: 'missing', message: 'The key is on the source and not on the target.' };

/** Most differences of many are looked at again or only counted: words are made for those that are read. */
function told(code: Difference['code'], words: () => string): Difference {
  let text: string | undefined;
  return {
    code,
    get message() {
      return (text ??= words());
    },
  };
}

function byClockOfSource(facts: KeyFacts, targetMinusSource: number): KeyFacts {
  return facts.expiry === 0 ? facts : { ...facts, expiry: expiryByClock(facts.expiry, -targetMinusSource) };
}

/** Clocks that are no further apart need no word, ms. */
const NEARLY_EQUAL_MS = 50;

function tellClocks(targetMinusSource: number): string {
  const ms = Math.round(Math.abs(targetMinusSource));
  if (ms <= NEARLY_EQUAL_MS) return '';
  return ` by the source's clock (the target's is ${ms} ms ${targetMinusSource > 0 ? 'ahead' : 'behind'})`;
}

/** For a key that only the target has. */
export function extra(target: KeyFacts): Difference {
  return { code: 'extra', message: `The key is on the target (${described(target)}) and not on the source.` };
}

function described({ type, length, expiry }: KeyFacts): string {
  const size =
    length === undefined
      ? ''
      : ` of ${length} ${type === 'string' ? 'byte' : type === 'stream' ? 'entr' : type === 'hash' ? 'field' : 'member'}${ending(type, length)}`;
  return `${type}${size}, ${expiry === 0 ? 'no expiry' : `expires ${when(expiry)}`}`;
}

function ending(type: string, length: number): string {
  if (type === 'stream') return length === 1 ? 'y' : 'ies';
  return length === 1 ? '' : 's';
}

/** Beyond the year 275,760 JavaScript has no dates. */
function when(time: number): string {
  return time < 8.64e15 ? new Date(time).toISOString() : `${time} ms after 1970`;
}

function by(source: number, target: number): string {
  return source === 0 || target === 0 ? '' : ` by ${Math.round(Math.abs(target - source))} ms`;
}
