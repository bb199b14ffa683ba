import { parseEndpoint } from '../../cli/client/endpoint';
import { readGiven } from '../../cli/connections/given-connection';
import { rememberedConnection } from '../../cli/connections/remembered-connection';
import { progressOf } from '../../cli/display/progress-view';
import { Display } from '../../cli/display/display';
import { keyName } from '../../cli/report/key-name';
import { bytes, count, counted, duration } from '../../cli/display/words';
import { commandLine } from '../../cli/hints';
import { addConverter, addRename, parseDatabases, parseList } from '../../cli/option-values';
import { UsageError } from '../../cli/outcome';
import { makeProgram, type Actions } from '../../cli/program';
import { mistakeLine, requestBody, type RequestOptions } from '../../cli/request-body';
import type { MigrationReport } from '../../src/migration/report';

describe('options', () => {
  test.each([
    ['all', 'all'],
    ['0', [0]],
    ['0, 1,5', [0, 1, 5]],
    ['0=3,1=old:', { 0: 3, 1: 'old:' }],
    ['2=a=b', { 2: 'a=b' }],
  ])('--databases %s', (text, value) => {
    expect(parseDatabases(text)).toEqual(value);
  });

  test.each(['', ',', '-1', '1.5', '0=', '=1', '0=1,2', '0=1,0=2', '123456'])('--databases %p is refused', (text) => {
    expect(() => parseDatabases(text)).toThrow();
  });

  test('--rename divides at the first arrow', () => {
    expect(addRename('^a:=>b=>', [{ from: 'x', to: 'y' }])).toEqual([
      { from: 'x', to: 'y' },
      { from: '^a:', to: 'b=>' },
    ]);
    expect(addRename('a=>')).toEqual([{ from: 'a', to: '' }]);
    expect(() => addRename('=>a')).toThrow();
  });

  test('--convert takes names and objects', () => {
    expect(addConverter('{"converter":"c","force":true}', ['a'])).toEqual(['a', { converter: 'c', force: true }]);
    expect(() => addConverter('{')).toThrow(/Not JSON/);
  });

  test('lists', () => {
    expect(parseList('string, hash,')).toEqual(['string', 'hash']);
    expect(() => parseList(',')).toThrow();
  });

  test('only what was asked for goes into the request', () => {
    expect(requestBody({}, 'A', 'B')).toEqual({ source: 'A', target: 'B' });
    expect(
      requestBody({ match: ['a*'], parallelRanges: 2, databases: [1], verify: 'none', convert: ['c'] }, 'A', 'B'),
    ).toEqual({
      source: 'A',
      target: 'B',
      databases: [1],
      select: { match: ['a*'] },
      limits: { parallelRanges: 2 },
      verify: 'none',
      convert: ['c'],
    });
  });

  test('everything that was asked for does', async () => {
    let body: Record<string, unknown> = {};
    const actions: Partial<Actions> = {
      sync: (options: RequestOptions & { readonly source: string; readonly target: string }) => {
        body = requestBody(options, options.source, options.target);
        return Promise.resolve();
      },
    };
    const options =
      '--source A --target B --databases 0,1 --match a* b* --exclude c* --types string,hash --rename a=>b' +
      ' --convert aspnet-session-v5 --keys-per-second 1 --bytes-per-second 2 --max-source-latency 0.5' +
      ' --parallel-ranges 4 --shrink-percent 5 --delete-extra --force --request-id r';
    await makeProgram(actions as Actions, '1.0.0').parseAsync(['sync', ...options.split(' ')], { from: 'user' });
    expect(body).toEqual({
      source: 'A',
      target: 'B',
      databases: [0, 1],
      select: { match: ['a*', 'b*'], exclude: ['c*'], types: ['string', 'hash'] },
      rename: [{ from: 'a', to: 'b' }],
      convert: ['aspnet-session-v5'],
      deleteExtra: true,
      force: true,
      limits: { keysPerSecond: 1, bytesPerSecond: 2, maxSourceLatencyMs: 0.5, parallelRanges: 4, shrinkPercent: 5 },
      requestId: 'r',
    });
  });

  test('mistakes are told in the words of the command line', () => {
    expect(mistakeLine({ path: 'onConflict', message: 'no' })).toBe('--on-conflict: no');
    expect(mistakeLine({ path: 'select.types.0', message: 'no' })).toBe('--types (select.types.0): no');
    expect(mistakeLine({ path: 'target.file', message: 'no' })).toBe('the file (target.file): no');
    expect(mistakeLine({ path: 'other', message: 'no' })).toBe('other: no');
    expect(mistakeLine({ path: '', message: 'no' })).toBe('no');
  });
});

describe('endpoints', () => {
  test.each([
    ['https://a.example', 'https://a.example'],
    ['https://a.example/api/', 'https://a.example'],
    ['https://a.example/gate/api', 'https://a.example/gate'],
    ['http://localhost:7071/', 'http://localhost:7071'],
  ])('%s', (text, base) => {
    expect(parseEndpoint(text, true)).toBe(base);
  });

  test.each(['a.example', 'ftp://a', 'https://u:p@a', 'https://a?code=1', 'http://a.example'])('not %s', (text) => {
    expect(() => parseEndpoint(text, true)).toThrow(UsageError);
  });
});

describe('connections', () => {
  const settings = { REDIS_OLD: 'rediss://:pw@old:6380', REDIS_ID__hostName: 'x.redis.azure.net', REDIS_OLDER: 'no' };

  test('a name is taken from the settings', () => {
    expect(readGiven('source', 'OLD', settings)).toEqual({
      name: 'OLD',
      given: 'name',
      address: 'old:6380',
      settings: { REDIS_OLD: 'rediss://:pw@old:6380' },
    });
    expect(readGiven('source', 'id', { REDIS_ID__hostName: 'h' })).toMatchObject({ address: 'h:6380' });
    expect(readGiven('source', 'ID', settings, 'CLI_SOURCE')).toMatchObject({
      name: 'CLI_SOURCE',
      address: 'x.redis.azure.net:10000',
      settings: { REDIS_CLI_SOURCE__hostName: 'x.redis.azure.net' },
    });
  });

  test('an address gets a name; it is remembered only without a password', () => {
    expect(readGiven('target', 'redis://new:7', {})).toEqual({
      name: 'CLI_TARGET',
      given: 'address',
      address: 'new:7',
      settings: { REDIS_CLI_TARGET: 'redis://new:7' },
      url: 'redis://new:7',
    });
    expect(readGiven('target', 'new:6380,password=pw,ssl=True', {})).not.toHaveProperty('url');
    expect(readGiven('target', 'redis://:pw@new', {})).not.toHaveProperty('url');
  });

  test('mistakes have no secret', () => {
    for (const text of ['redis://:geheim@host/2/3', 'host,password=geheim,x=1', 'redis://:ge%heim@host', '::geheim']) {
      let message = '';
      try {
        readGiven('source', text, {});
      } catch (error) {
        if (error instanceof UsageError) message = [error.message, ...error.details].join('\n');
      }
      expect(message).toMatch(/^--source\b/);
      expect(message).not.toMatch(/heim/);
    }
  });

  test('what is remembered must lead to the same server', () => {
    const known = { name: 'CLI_SOURCE', given: 'address', address: 'old:6380' } as const;
    expect(() => rememberedConnection('source', undefined, known, {})).toThrow(/needed again/);
    expect(() => rememberedConnection('source', 'redis://other', known, {})).toThrow(/was started with old:6380/);
    expect(rememberedConnection('source', 'OLD', known, settings).settings).toEqual({
      REDIS_CLI_SOURCE: 'rediss://:pw@old:6380',
    });
    expect(rememberedConnection('source', undefined, known, { REDIS_CLI_SOURCE: 'redis://:x@old:6380' })).toMatchObject(
      { name: 'CLI_SOURCE' },
    );
  });
});

describe('words', () => {
  test('numbers', () => {
    expect(count(null)).toBe('–');
    expect(counted(1, 'key')).toBe('1 key');
    expect(counted(1_234, 'key')).toBe('1,234 keys');
    expect([0.04, 9.99, 59.6, 125, 3_725].map(duration)).toEqual([
      '0.0 s',
      '10.0 s',
      '1 min 0 s',
      '2 min 5 s',
      '1 h 2 min',
    ]);
    expect([0, 1_023, 1_024, 1_572_864].map(bytes)).toEqual(['0 bytes', '1,023 bytes', '1.0 KiB', '1.5 MiB']);
  });

  test('text from servers cannot steer a terminal', () => {
    const written: string[] = [];
    const write = (text: string | Uint8Array): boolean => written.push(String(text)) > 0;
    const streams = [process.stdout, process.stderr].map((stream) =>
      jest.spyOn(stream, 'write').mockImplementation(write),
    );
    try {
      const display = new Display();
      display.print('a\u001b[2Jb\nc\u202ed');
      display.note('a\u009bb');
      display.warn('a\u001b\nb');
      display.printJson({ 'a\u202e': '\u{e0041}' });
    } finally {
      for (const stream of streams) stream.mockRestore();
    }
    expect(written).toEqual([
      'a\\u001b[2Jb\nc\\u202ed\n',
      'a\\u009bb\n',
      'warning: a\\u001b\\nb\n',
      '{\n  "a\\u202e": "\\udb40\\udc41"\n}\n',
    ]);
  });

  test.each([
    ['a\\b\u0000', Infinity, 'a\\\\b\\u0000'],
    ['', Infinity, '(empty)'],
    ['🗝🗝🗝', 4, '🗝…'],
    ['ab\u0000', 5, 'ab…'],
  ])('a key is named whole or cut between characters, case %#', (key, length, expected) => {
    expect(keyName({ key, encoding: 'utf8' }, length)).toBe(expected);
    const bytes = Buffer.from(Buffer.from('é\\').toString('base64'));
    expect(keyName({ key: String(bytes), encoding: 'base64' })).toBe('\\xc3\\xa9\\\\');
    expect(keyName({ key: String(bytes), encoding: 'base64', cut: true })).toBe('\\xc3\\xa9\\\\…');
    expect(keyName({ key: String(bytes), encoding: 'base64' }, 6)).toBe('\\xc3…');
  });

  test('a command to be copied', () => {
    expect(commandLine('resume', 'x', '--data', "a b'c", '--source', '<URL of X>')).toMatch(
      /keyferry resume x --data 'a b'\\''c' --source <URL of X>$/,
    );
  });

  test('progress', () => {
    const report = {
      state: 'running',
      progress: { percent: 12.5, keysPerSecond: 1_000, etaSeconds: 7 },
      tally: { sourceKeys: 8_000, accountedKeys: 1_000 },
    } as MigrationReport;
    expect(progressOf(report)).toEqual({ percent: 12.5, words: ['1,000 of 8,000 keys', '1,000 keys/s', '7 s left'] });
    expect(progressOf({ ...report, state: 'verifying' }).words).toEqual(['looking up 8,000 keys on the target']);
  });

  test('progress says first what it is of: each phase begins at 0 again', () => {
    const wordsOf = (state: MigrationReport['state'], progress: Partial<MigrationReport['progress']>) =>
      progressOf({
        state,
        progress: { percent: 12.5, keysPerSecond: 1_000, etaSeconds: 7, ...progress },
        tally: { sourceKeys: null, accountedKeys: 1_000 },
      } as MigrationReport).words;
    const reading = { bytes: 1_048_576, of: 10_485_760, bytesPerSecond: 2_097_152 };
    expect(wordsOf('running', { phase: 'read', reading })).toEqual([
      'reading the file: 1.0 MiB of 10.0 MiB',
      '2.0 MiB/s',
      '7 s left',
    ]);
    expect(wordsOf('running', { phase: 'copy' })[0]).toBe('copying: 1,000 keys');
    expect(wordsOf('verifying', { phase: 'look' })).toEqual(['looking up all keys on the target']);
    expect(wordsOf('verifying', { phase: 'seal' })).toEqual(['putting the file together, and reading it once more']);
    expect(wordsOf('running', { phase: 'another' })[0]).toBe('another: 1,000 keys');
  });
});
