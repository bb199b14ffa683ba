import { makeNaming } from '../../../src/convert/rename/naming';

describe('the name on the target', () => {
  const name = (rules: { from: string; to: string }[], key: string | Buffer, prefix = '') =>
    makeNaming(rules, prefix)?.(Buffer.from(key)).toString();

  it('stays as it is where nothing renames', () => {
    expect(makeNaming([], '')).toBeUndefined();
  });

  it.each([
    ['^old:(.*)$', 'new:$1', 'old:a', 'new:a'],
    ['^old:(.*)$', 'new:$1', 'other', 'other'],
    ['(a)(b)', '$2$1', 'xabab', 'xbaab'],
    ['a', '$', 'ba', 'b$'],
    ['a', '\\1$x', 'ba', 'b\\1$x'],
    ['a', '', 'ba', 'b'],
    ['é', 'e', 'café', 'cafe'],
  ])('by s/%s/%s/ turns %s into %s', (from, to, key, expected) => {
    expect(name([{ from, to }], key)).toBe(expected);
  });

  it('is given by the first rule that matches', () => {
    expect(
      name(
        [
          { from: '^a', to: '1' },
          { from: '^.', to: '2' },
        ],
        'ab',
      ),
    ).toBe('1b');
    expect(
      name(
        [
          { from: '^a', to: '1' },
          { from: '^.', to: '2' },
        ],
        'bb',
      ),
    ).toBe('2b');
  });

  it('has its prefix before whatever the name is, text or not', () => {
    const binary = Buffer.from([0xff, 0x61]);
    expect(makeNaming([{ from: 'a', to: 'b' }], 'p:')?.(binary)).toEqual(Buffer.concat([Buffer.from('p:'), binary]));
    expect(name([{ from: 'a', to: 'b' }], 'a', 'p:')).toBe('p:b');
    expect(name([], '', 'p:')).toBe('p:');
  });

  it('costs time in proportion to the name, whatever the expression', () => {
    expect(name([{ from: '^(a+)+$', to: 'x' }], `${'a'.repeat(5_000)}b`)).toBe(`${'a'.repeat(5_000)}b`);
  });
});
