import type { Dice } from '../torture/dice';

const ODD = [
  '\r\n',
  '\0',
  '\ud83d',
  '\u202e',
  '\ufeff',
  '%00',
  '%zz',
  '${x}',
  '-1',
  '1e309',
  '0x10',
  '99999999999999999999999',
  '::',
  '//',
  '@',
  '=',
  ';',
  ',',
  ':',
  '[',
  ']',
  '{"a":',
  '*',
  '(a+)+$',
  '(\\pL{1,1000})',
  '\\',
  "'",
  ' '.repeat(50),
] as const;

/** Longer ones come in through no edge. */
const LONGEST = 100_000;

/** A text with a few changes: characters that mean something, parts lost, doubled, exchanged, and in another case. */
export function changeText(text: string, dice: Dice): string {
  let changed = text;
  for (let left = dice.between(1, 4); left > 0; left--) changed = changeOnce(changed, dice).slice(0, LONGEST);
  return changed;
}

function changeOnce(text: string, dice: Dice): string {
  const at = dice.next() % (text.length + 1);
  const end = Math.min(text.length, at + dice.between(1, 12));
  switch (dice.next() % 7) {
    case 0:
      return text.slice(0, at) + dice.pick(ODD) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(end);
    case 2:
      return text.slice(0, end) + text.slice(at);
    case 3:
      return text.slice(0, at);
    case 4:
      return text.slice(0, at) + String.fromCharCode(dice.next() % 0x180) + text.slice(at + 1);
    case 5:
      return text.slice(0, at) + text.slice(at, end).toUpperCase() + text.slice(end);
    default:
      return (
        text.slice(0, at) + text.slice(at, end).repeat(dice.chance(3) ? 5_000 : dice.between(2, 9)) + text.slice(end)
      );
  }
}
