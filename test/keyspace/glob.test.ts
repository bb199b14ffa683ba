import fc from 'fast-check';
import { globMatcher, sampleOf } from '../../src/keyspace/glob';
import { onEveryServer } from '../tools/test-server';

const matches = (pattern: string, key: string) => globMatcher(pattern)(Buffer.from(key));

describe('a glob', () => {
  it.each([
    ['user:*', 'user:1', true],
    ['user:*', 'User:1', false],
    ['*', '', true],
    ['?', '', false],
    ['h?llo', 'hello', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hallo', true],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a\\', 'a\\', true],
    ['[\\]]', ']', true],
    ['[abc', 'c', true],
    ['**a**', 'xxaxx', true],
  ])('%s on %j: %s', (pattern, key, expected) => {
    expect(matches(pattern, key)).toBe(expected);
  });

  it('matches bytes: "?" is one byte of a longer character', () => {
    expect(matches('?', 'ä')).toBe(false);
    expect(matches('??', 'ä')).toBe(true);
    expect(globMatcher('a*b')(Buffer.from([0x61, 0xff, 0x00, 0x62]))).toBe(true);
  });

  it('takes pattern times key steps at most, whatever the pattern', () => {
    const key = Buffer.from('a'.repeat(20_000));
    // Tried by backtracking, each of these would take longer than anybody waits.
    for (const pattern of [`${'a*'.repeat(200)}b`, `${'*a'.repeat(200)}*b`, `${'*?'.repeat(300)}[b]`]) {
      expect(globMatcher(pattern)(key)).toBe(false);
    }
  });
});

// Few letters, so that patterns and keys often meet.
const letters = fc.constantFrom('a', 'b', 'c', '-', ']', '^', '\\', '*', '?');
const patterns = fc
  .array(
    fc.oneof(letters, fc.constantFrom('[', '[^', '[a-c]', '[^a]', '[a', '*', '[c-a]', '[]', '[\\', '[a-', '[^]')),
    {
      minLength: 1,
      maxLength: 8,
    },
  )
  .map((parts) => parts.join(''));
const keys = fc
  .array(fc.oneof(letters, fc.constantFrom('[', 'ä', '\n')), { maxLength: 7 })
  .map((parts) => parts.join(''));

onEveryServer((at) => {
  it('matches the same keys as SCAN MATCH does', async () => {
    const { client } = at();
    await client.flushall();
    const names = [...new Set(['', ...fc.sample(keys, { numRuns: 400, seed: 7 })])];
    await client.mset(...names.flatMap((name) => [name, '1']));
    const all = fc.sample(patterns, { numRuns: 400, seed: 11 });
    for (const pattern of all) {
      const [, found] = await client.scan('0', 'MATCH', pattern, 'COUNT', 10_000);
      const matcher = globMatcher(pattern);
      expect([pattern, names.filter((name) => matcher(Buffer.from(name))).sort()]).toEqual([pattern, found.sort()]);
    }
  });
});

describe('a sample', () => {
  it.each([
    ['*', 'me'],
    ['app:*', 'app:me'],
    ['*:cache', 'me:cache'],
    ['a?[xy][^a]*:*\\*', 'aaxbme:*'],
    ['[0-9]', '0'],
    ['exact', 'exact'],
  ])('of %s is %s', (glob, name) => {
    const sample = sampleOf(glob, Buffer.from('me'));
    expect(sample?.toString()).toBe(name);
    expect(globMatcher(glob)(sample!)).toBe(true);
  });

  it('of what nothing matches is none', () => {
    expect(sampleOf('a[]b', Buffer.from('me'))).toBeUndefined();
  });
});
