import type { Dice } from '../torture/dice';
import { changeText } from './change-text';

/** What is often taken for something else, or is at a border. */
const ODD: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  1e300,
  -1e300,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  2 ** 53,
  '',
  '0',
  ' ',
  '\0',
  '\ud800',
  '__proto__',
  'constructor',
  'x'.repeat(70_000),
  '9'.repeat(400),
  [],
  {},
  [[]],
  [null],
  { length: 1 },
];
/** Fields that objects have by themselves. */
const ODD_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '', '0', 'version'];
const DEEP = 3_000;

/** A copy of a JSON document with a few changes anywhere in it: odd values, other texts, lost, doubled, moved and foreign fields. */
export function changeDocument(document: unknown, dice: Dice): unknown {
  let changed: unknown = structuredClone(document);
  for (let left = dice.between(1, 4); left > 0; left--) changed = changeOnce(changed, dice);
  return changed;
}

function changeOnce(document: unknown, dice: Dice): unknown {
  // At each step further in, or here.
  if (isHolder(document) && dice.chance(80)) {
    const names = Object.keys(document);
    const name = names[dice.next() % Math.max(1, names.length)];
    if (name !== undefined) {
      if (dice.chance(75)) set(document, name, changeOnce(document[name], dice));
      else changeFields(document, name, dice);
      return document;
    }
  }
  if (typeof document === 'string' && dice.chance(60)) return changeText(document, dice);
  if (typeof document === 'number' && dice.chance(50)) return document + dice.pick([-1, 1, 0.5, 2 ** 32, -(2 ** 53)]);
  if (dice.chance(2)) return deep();
  return structuredClone(dice.pick(ODD as [unknown, ...unknown[]]));
}

function changeFields(holder: Record<string, unknown>, name: string, dice: Dice): void {
  const value = holder[name];
  switch (dice.next() % 4) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(name), 1);
      else Reflect.deleteProperty(holder, name);
      return;
    case 1:
      if (Array.isArray(holder)) holder.push(...Array.from({ length: dice.between(1, 200) }, () => value));
      else set(holder, dice.pick(ODD_NAMES as [string, ...string[]]), value);
      return;
    case 2: {
      const others = Object.keys(holder);
      set(holder, others[dice.next() % others.length] ?? name, value);
      return;
    }
    default:
      set(holder, changeText(name, dice).slice(0, 100), value);
  }
}

/** As JSON.parse does: "__proto__" is a field like any other. */
function set(holder: Record<string, unknown>, name: string, value: unknown): void {
  if (Array.isArray(holder) && !/^\d{1,4}$/.test(name)) return;
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

function isHolder(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

function deep(): unknown {
  let value: unknown = 1;
  for (let i = 0; i < DEEP; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}
