import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { cellAt, countStates, layOut, rangeAt } from '../../console/grid-layout';
import { pause } from '../../console/poll';
import { ratesOf } from '../../console/rates';
import { curlCommand, databaseList, databaseMap, shellWord, withoutEmpty } from '../../console/request-text';
import { parseRoute } from '../../console/route';
import { choicesOf, requestSchema } from '../../console/schema';
import { clock, factRows, shown, size, span, spoken } from '../../console/words';
import { openApiDocument } from '../../src/api/openapi';
import { parseMigrationRequest } from '../../src/migration/request';

describe('the grid of ranges', () => {
  it.each([
    [[1], 300],
    [[16_384], 1_100],
    [[16_384], 330],
    [[64, 1, 1_024, 4], 700],
    [Array.from({ length: 16 }, () => 1_024), 330],
  ])('has a place of its own for each of %p ranges, %i pixels wide', (counts, width) => {
    const layout = layOut(counts, width, 420);
    const places = new Set<string>();
    counts.forEach((count, block) => {
      for (let index = 0; index < count; index++) {
        const { x, y } = cellAt(layout, block, index);
        places.add(`${x},${y}`);
        expect(x + layout.step).toBeLessThanOrEqual(Math.max(width, layout.step));
        expect(y + layout.step).toBeLessThanOrEqual(layout.height);
        expect(rangeAt(layout, x + 1, y + 1)).toEqual({ block, index });
      }
    });
    expect(places.size).toBe(counts.reduce((sum, count) => sum + count, 0));
  });

  it('shows 16,384 ranges without scrolling, on a desktop and on a phone', () => {
    expect(layOut([16_384], 1_130, 420).height).toBeLessThanOrEqual(420);
    expect(layOut([16_384], 330, 420).height).toBeLessThanOrEqual(500);
    expect(layOut([16_384], 330, 420).step).toBeGreaterThanOrEqual(3);
  });

  it('knows no range beside the cells', () => {
    const layout = layOut([5, 5], 100, 400);
    expect(rangeAt(layout, -1, 30)).toBeUndefined();
    expect(rangeAt(layout, 99.9, 30)).toBeUndefined();
    expect(rangeAt(layout, 10, 5)).toBeUndefined();
    expect(rangeAt(layout, 10, 4_000)).toBeUndefined();
    expect(rangeAt(layOut([], 100, 400), 10, 10)).toBeUndefined();
  });

  it('counts states over all databases', () => {
    expect([...countStates(['dda', 'af'])]).toEqual([
      ['d', 2],
      ['a', 2],
      ['f', 1],
    ]);
  });
});

describe('rates', () => {
  it.each([
    [[], [[], []]],
    [[[0, 0]], [[0], [0]]],
    [
      [
        [0, 0],
        [1, 100],
        [5, 500],
        [10, 500],
      ],
      [
        [0, 1, 5, 10],
        [0, 100, 100, 0],
      ],
    ],
    // What was written down in one go counts for all the time that it took.
    [
      [
        [0, 0],
        [2, 0],
        [4, 400],
        [6, 400],
        [8, 800],
      ],
      [
        [0, 2, 4, 6, 8],
        [0, 0, 100, 100, 100],
      ],
    ],
    // After a restart of the source.
    [
      [
        [0, 0],
        [10, 1_000],
        [20, 100],
      ],
      [
        [0, 10, 20],
        [0, 100, 0],
      ],
    ],
  ] as const)('of %j are %j', (points, rates) => {
    expect(ratesOf(points)).toEqual(rates);
  });
});

describe('a composed request', () => {
  it('says nothing of what is left empty', () => {
    const values = {
      source: 'OLD',
      select: { match: undefined, types: [] },
      rename: [],
      limits: {},
      verify: undefined,
    };
    expect(withoutEmpty(values)).toEqual({ source: 'OLD' });
    expect(withoutEmpty({ limits: { keysPerSecond: 0 }, source: '' })).toEqual({
      limits: { keysPerSecond: 0 },
      source: '',
    });
  });

  it('has databases as the API takes them, and what is wrong for it to refuse', () => {
    expect(databaseList(' 0,1  5 ')).toEqual([0, 1, 5]);
    expect(databaseMap('0 = 3\n\n1=db1:=x\n')).toEqual({ 0: 3, 1: 'db1:=x' });
    const request = { source: 'OLD', target: 'NEW' };
    expect(parseMigrationRequest({ ...request, databases: databaseMap('0=3\n1=db1:') }).databases).toEqual({
      0: 3,
      1: 'db1:',
    });
    expect(() => parseMigrationRequest({ ...request, databases: databaseList('0 x') })).toThrow();
    expect(() => parseMigrationRequest({ ...request, databases: databaseMap('zero = 1') })).toThrow();
  });

  it('is text that a shell hands on unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const plain = text.replaceAll('\0', '').toWellFormed();
        expect(execFileSync('sh', ['-c', `printf %s ${shellWord(plain)}`], { encoding: 'utf8' })).toBe(plain);
      }),
      { numRuns: 50 },
    );
  });

  it('is a curl command that takes its key from the environment', () => {
    const request = { source: 'OLD', target: 'NEW', select: { match: [`it's $HOME \`id\` "x" \\ *`] } };
    const command = curlCommand('https://x.example/api/migrations', request);
    // curl's place is taken by a command that tells what it is called with, one argument after the other.
    const told = execFileSync('sh', ['-c', `curl() { for a; do printf '%s\\0' "$a"; done; }\n${command}`], {
      encoding: 'utf8',
      env: { KEYFERRY_KEY: 'the key' },
    }).split('\0');
    expect(told).toContain('x-functions-key: the key');
    expect(told).toContain('https://x.example/api/migrations');
    expect(JSON.parse(told[told.indexOf('--data-binary') + 1]!)).toEqual(request);
  });
});

describe('the schema', () => {
  const schema = requestSchema(JSON.parse(JSON.stringify(openApiDocument())));

  it('of requests is read out of the document, with references in their places', () => {
    expect(Object.keys(schema.properties ?? {})).toEqual(
      expect.arrayContaining(['source', 'target', 'limits', 'convert']),
    );
    expect(choicesOf(schema.properties!.onConflict!)).toEqual(['replace', 'skip', 'fail']);
    const [sessions, cache] = schema.properties!.convert!.items!.oneOf!;
    expect(sessions!.properties).toHaveProperty('nativeTypes');
    expect(cache!.properties).toHaveProperty('instanceName');
    expect(choicesOf(schema.properties!.limits!)).toBeUndefined();
  });

  it('is missed where there is none', () => {
    expect(() => requestSchema({})).toThrow('does not describe');
    expect(() => requestSchema(null)).toThrow('does not describe');
  });
});

describe('words', () => {
  it.each([
    ['plain', 'plain'],
    ['a\u0000b\n\u001b[31m', 'a\\u0000b\\n\\u001b[31m'],
    ['exe\u202egnp.', 'exe\\u202egnp.'],
    ['\ud800x', '\\ud800x'],
    ['🗝é', '🗝é'],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ])('%j is shown as %j', (text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  it('are cut, never inside a character', () => {
    expect(shown('abcdef', 4)).toBe('abc…');
    expect(shown('a🗝🗝', 3)).toBe('a…');
  });

  it('tell numbers as people do', () => {
    expect([0, 59.6, 125, 3_725, 100_000].map(span)).toEqual([
      '0 s',
      '1 min 00 s',
      '2 min 05 s',
      '1 h 02 min',
      '1 d 3 h',
    ]);
    expect([0, 65, 3_600].map(clock)).toEqual(['0:00', '1:05', '1:00:00']);
    expect([0, 1_023, 1_024, 5 * 2 ** 40, 2 ** 52].map(size)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '5.0 TiB',
      '4096.0 TiB',
    ]);
    expect(spoken('skippedByFilter')).toBe('skipped by filter');
  });

  it('tell whatever a converter found', () => {
    expect(factRows({ sessions: 1_200, byApplication: { '/Shop': 1_000, '/\u0007': 200 }, complete: false })).toEqual([
      ['sessions', '1,200'],
      ['by application: /Shop', '1,000'],
      ['by application: /\\u0007', '200'],
      ['complete', 'no'],
    ]);
  });
});

it.each([
  ['', { name: 'list' }],
  ['#/', { name: 'list' }],
  ['#/new', { name: 'new' }],
  ['#/migrations/2026-1', { name: 'migration', id: '2026-1' }],
  ['#/migrations/%3Cb%3E', { name: 'migration', id: '<b>' }],
  ['#/migrations/%', { name: 'list' }],
  ['#/migrations/a/b', { name: 'list' }],
])('the address %j leads to %j', (hash, route) => {
  expect(parseRoute(hash)).toEqual(route);
});

it('an app that answers slowly is asked more seldom, but is asked', () => {
  expect([1, 500, 2_000, 60_000].map((took) => pause(1_000, took))).toEqual([1_000, 2_000, 8_000, 30_000]);
});
