import fc from 'fast-check';
import { safeLines, safeText, safeUtf8 } from '../../src/basics/safe-text';
import { UNSAFE } from '../tools/unsafe-characters';

const codePoint = fc.oneof(
  fc.integer({ min: 0, max: 0x10ffff }),
  fc.constantFrom(...UNSAFE),
  fc.constantFrom(...Array.from('aé漢🗝👩‍👩‍👧"\\…', (character) => character.codePointAt(0) ?? 0)),
);
const anyText = fc.oneof(
  fc.array(codePoint, { maxLength: 40 }).map((codes) => codes.map((code) => String.fromCodePoint(code)).join('')),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
);

const isSafe = (text: string) => Array.from(text).every((character) => !UNSAFE.has(character.codePointAt(0) ?? 0));

describe('safe text', () => {
  it.each([
    ['plain ünïcode 漢字 🗝', 'plain ünïcode 漢字 🗝'],
    ['a\u0000b\n\r\t\u001b[31m\u007f\u009b', 'a\\u0000b\\n\\r\\t\\u001b[31m\\u007f\\u009b'],
    ['exe\u202egnp.\u2066\u200f\u061c', 'exe\\u202egnp.\\u2066\\u200f\\u061c'],
    ['line\u2028paragraph\u2029', 'line\\u2028paragraph\\u2029'],
    ['\ud83d and \udd1d', '\\ud83d and \\udd1d'],
    ['\u{e0041}', '\\udb40\\udc41'],
    ['<img src=x>', '<img src=x>'],
  ])('case %#', (text, expected) => {
    expect(safeText(text)).toBe(expected);
  });

  it.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdefg', 6, 'abcde…'],
    ['a🗝🗝', 5, 'a🗝🗝'],
    ['a🗝🗝', 4, 'a🗝…'],
    ['a🗝🗝', 3, 'a…'],
    ['ab\u0000', 7, 'ab…'],
    ['ab\u0000', 8, 'ab\\u0000'],
    ['\u0000\u0000', 1, '…'],
  ])('cut, case %#', (text, limit, expected) => {
    expect(safeText(text, limit)).toBe(expected);
  });

  it('lets nothing unsafe through, is well-formed, and no longer than asked for', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 60 }), (text, limit) => {
        for (const safe of [safeText(text), safeText(text, limit)]) {
          expect(isSafe(safe)).toBe(true);
          expect(safe.isWellFormed()).toBe(true);
        }
        expect(safeText(text, limit).length).toBeLessThanOrEqual(limit);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is the beginning of the whole, cut between characters and never in a spelling', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 60 }), (text, limit) => {
        const whole = safeText(text);
        const cut = safeText(text, limit);
        if (whole.length <= limit) expect(cut).toBe(whole);
        else {
          const ends = new Set([0]);
          let length = 0;
          for (const character of text) ends.add((length += safeText(character).length));
          expect(cut.endsWith('…')).toBe(true);
          expect(whole.startsWith(cut.slice(0, -1))).toBe(true);
          expect(ends.has(cut.length - 1)).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('stays as it is', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 60 }), (text, limit) => {
        const safe = safeText(text, limit);
        expect(safeText(safe, limit)).toBe(safe);
      }),
    );
  });

  it('tells texts apart as long as it is not cut and they have no backslash', () => {
    const noBackslash = anyText.map((text) => text.replaceAll('\\', ''));
    fc.assert(fc.property(noBackslash, noBackslash, (a, b) => (safeText(a) === safeText(b)) === (a === b)));
  });

  it('of a JSON document means the same', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyText), (document) => {
        for (const space of [0, 2]) {
          expect(JSON.parse(safeLines(JSON.stringify(document, null, space)))).toEqual(
            JSON.parse(JSON.stringify(document)),
          );
        }
      }),
    );
  });

  it('of several lines keeps them, and only them', () => {
    expect(safeLines('a\nb\r\nc\rd\u2028e\u001b')).toBe('a\nb\nc\\rd\\u2028e\\u001b');
  });

  it('of bytes is that of their text, though only a part is decoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 30 }), (bytes, limit) => {
        const buffer = Buffer.from(bytes);
        expect(safeUtf8(buffer, limit)).toBe(safeText(buffer.toString('utf8'), limit));
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.integer({ min: 1, max: 30 }), (text, limit) => {
        const whole = text.toWellFormed();
        expect(safeUtf8(Buffer.from(whole), limit)).toBe(safeText(whole, limit));
      }),
      { numRuns: 2_000 },
    );
  });
});
