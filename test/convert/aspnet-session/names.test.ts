import fc from 'fast-check';

import { firstEqualNames, FormatError } from '../../../src/convert/aspnet-session';
import { processorTime } from '../../tools/processor-time';

const first = (...names: string[]): number[] => firstEqualNames(names.map((name) => Buffer.from(name)));

describe('firstEqualNames', () => {
  it.each([
    ['letters of either case', 'UserName', 'USERNAME'],
    ['é composed or not', 'caf\u00e9', 'cafe\u0301'],
    ['É and é', 'CAF\u00c9', 'cafe\u0301'],
    ['a soft hyphen', 'co\u00adop', 'coop'],
    ['a zero-width joiner', 'a\u200db', 'AB'],
    ['a byte order mark', '\ufeffname', 'name'],
    ['a control character', 'na\u0001me', 'name'],
    ['NUL', 'name\0', 'name'],
    ['nothing but ignorable characters', '\u200d', ''],
    ['Greek', 'ΣΊΣΥΦΟΣ', 'σίσυφος'],
    ['Cyrillic', 'КОРЗИНА', 'корзина'],
    ['İ and its parts', '\u0130d', 'i\u0307d'],
    ['the Kelvin sign', '\u212a', 'k'],
    ['ß and ss, as Windows compares', 'Stra\u00dfe', 'STRASSE'],
    ['æ and ae, as Windows compares', 'encyclop\u00e6dia', 'Encyclopaedia'],
    ['a ligature', 'of\ufb01ce', 'Office'],
    ['forms of one digit', 'item\u00b2', 'item2'],
    ['small and big kana', 'ヵ', 'カ'],
    ['a decomposed kana', 'が', 'か\u3099'],
    ['an ignorable character beside kana', 'か\u200d', 'か'],
  ])('takes %s for one name', (_, a, b) => {
    expect(first(a, b)).toEqual([0, 0]);
    expect(first(b, 'other', a)).toEqual([0, 1, 0]);
  });

  it.each([
    ['a letter and its accented form', 'cafe', 'caf\u00e9'],
    ['a dotless i', 'id', '\u0131d'],
    ['hyphen and none', 'co-op', 'coop'],
    ['space and none', 'a b', 'ab'],
    ['tab and none', 'a\tb', 'ab'],
    ['full and half width', 'ID', '\uff29\uff24'],
    ['half-width katakana', 'カ', 'ｶ'],
    ['hiragana and katakana', 'か', 'カ'],
    ['voiced and voiceless kana', 'か', 'が'],
    ['Latin and Cyrillic', 'a', 'а'],
    ['different emoji', '🎉', '🎈'],
    ['different Chinese', '用户', '用戶'],
    ['private characters', '\ue000', '\ue001'],
  ])('keeps %s apart', (_, a, b) => {
    expect(first(a, b)).toEqual([0, 1]);
  });

  it('agrees with plain lower case for printable ASCII, alone and among others', () => {
    const names = fc.array(
      fc.string({ maxLength: 3, unit: fc.constantFrom('a', 'B', 'b', '-', '_', '1', ' ', '.', '~') }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(names, (list) => {
        const expected = list.map((name) => list.findIndex((other) => other.toLowerCase() === name.toLowerCase()));
        expect(first(...list)).toEqual(expected);
        expect(first(...list, 'ñandú')).toEqual([...expected, list.length]);
      }),
    );
  });

  it('joins groups across both ways of comparing', () => {
    expect(first('ſs', 'ß', 'SS', 'x', 'ss\u00ad')).toEqual([0, 0, 0, 3, 0]);
  });

  it('is quick for many names, and refuses more than it can compare', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`námé${i}`));
    const spent = processorTime();
    expect(firstEqualNames(many)).toEqual(many.map((_, i) => i));
    expect(spent()).toBeLessThan(3000);
    const plain = Buffer.alloc(2 * 1024 * 1024, 'a');
    expect(firstEqualNames([plain, plain])).toEqual([0, 0]);
    expect(() => firstEqualNames([plain, Buffer.from('é')])).toThrow(FormatError);
  });
});
