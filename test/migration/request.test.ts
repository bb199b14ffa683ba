import { BadRequestError, parseMigrationRequest } from '../../src/migration/request';

const parse = (changes: Record<string, unknown>) => parseMigrationRequest({ source: 'OLD', target: 'NEW', ...changes });

function mistakesIn(body: unknown): BadRequestError['mistakes'] {
  try {
    parseMigrationRequest(body);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(BadRequestError);
    return (error as BadRequestError).mistakes;
  }
}

/** The paths of the mistakes in a request. */
const mistakes = (body: unknown): string[] =>
  mistakesIn(body)
    .map(({ path }) => path)
    .sort();
const messages = (body: unknown): string[] => mistakesIn(body).map(({ message }) => message);

describe('a request', () => {
  it('needs a source and a target, and the rest has its defaults', () => {
    expect(parse({})).toMatchObject({
      source: 'OLD',
      target: 'NEW',
      mode: 'copy',
      databases: 'all',
      select: { match: [], exclude: [], types: [] },
      onConflict: 'replace',
      rename: [],
      verify: 'count',
      limits: { keysPerSecond: 0, parallelRanges: 0 },
    });
  });

  it('is told every mistake at once, each with its path, and each unknown field', () => {
    expect(
      mistakes({
        source: 'redis://:secret@host',
        mode: 'teleport',
        select: { match: [''], kind: 'x', types: ['hash', 'tree'] },
        rename: [{ from: '(', to: '' }],
        limits: { keysPerSecond: -1, parallelRanges: 1.5 },
        verify: 'maybe',
        requestId: 'has blanks',
        colour: 'blue',
        size: 1,
      }),
    ).toEqual([
      'colour',
      'limits.keysPerSecond',
      'limits.parallelRanges',
      'mode',
      'rename.0.from',
      'requestId',
      'select.kind',
      'select.match.0',
      'select.types.1',
      'size',
      'source',
      'target',
      'verify',
    ]);
  });

  it('has options of a conversion, and is told every mistake in them', () => {
    const converting = (...convert: unknown[]) => mistakes({ source: 'OLD', target: 'NEW', convert });
    expect(parse({ convert: ['aspnet-session-v5'] }).convert).toEqual(
      parse({ convert: [{ converter: 'aspnet-session-v5' }] }).convert,
    );
    expect(
      converting({
        converter: 'aspnet-session-v5',
        nativeTypes: 'no',
        applications: [''],
        onLocked: 'never',
        defaultTimeoutSeconds: 61,
        aplications: [],
      }),
    ).toEqual(
      ['aplications', 'applications.0', 'defaultTimeoutSeconds', 'nativeTypes', 'onLocked'].map(
        (name) => `convert.0.${name}`,
      ),
    );
    expect(converting({ converter: 'aspnet-session-v6' })).toEqual(['convert.0.converter']);
    for (const unknown of ['aspnet-session-v6', {}, 5, null, { converter: 'other' }]) {
      expect(messages({ source: 'OLD', target: 'NEW', convert: [unknown] })).toEqual([
        expect.stringMatching(/there is "aspnet-session-v5"/),
      ]);
    }
  });

  it('that is wrong is not repeated in what is said of it', () => {
    const error: unknown = (() => {
      try {
        return parse({ source: 'redis://:geheim@host', geheim: 1 });
      } catch (reason) {
        return reason;
      }
    })();
    const { mistakes: all } = error as BadRequestError;
    expect(all.map(({ message }) => message).join()).not.toContain('geheim');
  });

  it('has no id of those that the clock gives', () => {
    const named = (requestId: string) => mistakes({ source: 'OLD', target: 'NEW', requestId });
    expect(named('schedule:night:2026-12-01T01:00:00.000Z')).toEqual(['requestId']);
    expect(named('my-schedule:night')).toEqual([]);
  });

  it.each([null, undefined, 'text', 5, [], true])('is not %j', (body) => {
    expect(mistakes(body)).not.toEqual([]);
  });

  it.each([
    ['all', true],
    [[0, 5, 15], true],
    [[], false],
    [[-1], false],
    [[1.5], false],
    [{ '0': 0, '1': 'db1:' }, true],
    [{}, false],
    [{ zero: 0 }, false],
    [{ '0': -1 }, false],
    // One database under two names.
    [{ '0': 0, '00': 1 }, false],
    [{ '01': 0 }, false],
    [{ '65535': 0 }, true],
    [{ '65536': 0 }, false],
    ['some', false],
    [Object.fromEntries(Array.from({ length: 1_025 }, (_, i) => [String(i), i])), false],
  ])('takes databases %j: %s', (databases, allowed) => {
    expect(mistakes({ source: 'OLD', target: 'NEW', databases }).length === 0).toBe(allowed);
  });

  it.each([['some'], [3], [{ zero: 0 }], [{ '0': true }]])('says what databases may be to %j', (databases) => {
    expect(mistakes({ source: 'OLD', target: 'NEW', databases })).toEqual(['databases']);
    expect(() => parse({ databases })).toThrow(
      expect.objectContaining({
        mistakes: [{ path: 'databases', message: expect.stringMatching(/^must be "all", a list/) as string }],
      }) as Error,
    );
  });

  it('takes only regular expressions whose time is bounded', () => {
    expect(mistakes({ source: 'OLD', target: 'NEW', rename: [{ from: '(a)\\1', to: '' }] })).toEqual(['rename.0.from']);
    expect(mistakes({ source: 'OLD', target: 'NEW', rename: [{ from: '(?=a)', to: '' }] })).toEqual(['rename.0.from']);
    expect(parse({ rename: [{ from: '^(a+)+$', to: '$1' }] }).rename).toHaveLength(1);
  });

  it.each([
    [{ mode: 'compare', verify: 'quick' }, []],
    [{ mode: 'sync', deleteExtra: true, force: true }, []],
    [{ mode: 'compare', onConflict: 'skip' }, ['onConflict']],
    [{ mode: 'sync', onConflict: 'fail' }, ['onConflict']],
    [{ deleteExtra: true }, ['deleteExtra']],
    [{ mode: 'sync', force: true }, ['force']],
    [{ mode: 'sync', deleteExtra: true, rename: [{ from: 'a', to: 'b' }] }, ['deleteExtra']],
    [{ mode: 'sync', deleteExtra: true, rename: [{ from: '^a', to: 'b' }] }, []],
    [{ mode: 'live', rename: [{ from: 'a', to: 'b' }] }, ['rename']],
    [{ mode: 'live', rename: [{ from: '^a', to: 'b' }], select: { types: ['hash'] } }, []],
    [{ mode: 'live', convert: ['aspnet-session-v5'] }, []],
    [{ mode: 'live', convert: ['aspnet-session-v5'], rename: [{ from: '^a', to: 'b' }] }, ['convert']],
    [
      { mode: 'live', convert: ['aspnet-session-v5'], select: { types: ['hash'] }, onConflict: 'skip' },
      ['convert', 'onConflict'],
    ],
  ])('%j has the mistakes %j', (changes, expected) => {
    expect(mistakes({ source: 'OLD', target: 'NEW', ...changes })).toEqual(expected);
  });

  it('does not become another object by the names of its fields', () => {
    expect(mistakes(JSON.parse('{"source":"OLD","target":"NEW","__proto__":{"mode":"copy"}}'))).toEqual(['__proto__']);
  });
});
