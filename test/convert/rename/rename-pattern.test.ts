import { compileRenamePattern } from '../../../src/convert/rename/rename-pattern';

it.each([
  String.raw`(\pL{1,1000})`.repeat(68),
  String.raw`(\pL{1,1000})`,
  String.raw`((a{1,30}b){1,30}c){1,30}`,
  'a{1001}',
  '[a-z0-9]{600}x{600}',
  `(?:${'a'.repeat(900)}){2}`,
  String.raw`[[:alpha:]\]]{2000,}`,
  'x{900}'.repeat(100),
])('%.40s is too large', (pattern) => {
  expect(() => compileRenamePattern(pattern)).toThrow(/too large|RE2/);
});

it.each([
  String.raw`^user:(\d{1,20}):(\w{1,64})$`,
  String.raw`^\{([^}]{1,200})\}_(?:Data|Internal)$`,
  '^(a+)+$',
  String.raw`\p{Greek}{1,5}[\]{}]{3}\x{1F600}`,
  'x{,3}',
  '{}',
  String.raw`[[:alpha:]]{10}`,
])('%s is taken', (pattern) => {
  expect(compileRenamePattern(pattern).pattern()).toBe(pattern);
});

it.each(['(', '[', 'a{2', '(?=a)', String.raw`(a)\1`, '*', String.raw`a\ `.trim()])(
  '%s is judged without a crash',
  (pattern) => {
    try {
      compileRenamePattern(pattern);
    } catch (error) {
      expect(error).toMatchObject({ message: 'is not a regular expression that RE2 understands' });
    }
  },
);

it('is compiled once in a process', () => {
  expect(compileRenamePattern('^once')).toBe(compileRenamePattern('^once'));
});
