import type { MigrationReport } from '../../src/migration/report';
import { judge, type Evidence } from './judge';
import type { Request } from './scenario';
import type { KeyFacts, Snapshot } from './snapshot';

const now = 1_800_000_000_000;

function facts(digest: string, changes: Partial<KeyFacts> = {}): KeyFacts {
  return { type: 'string', length: 5, digest, expiresAt: null, within: 1, ...changes };
}

/** Keys by their ids, each with its value. */
function snapshot(keys: Readonly<Record<string, string | KeyFacts>>): Snapshot {
  return new Map(Object.entries(keys).map(([id, value]) => [id, typeof value === 'string' ? facts(value) : value]));
}

const source = { '0:a': 'one', '0:b': 'two', '3:c': 'three' };

function request(changes: Partial<Request> = {}): Request {
  return {
    mode: 'copy',
    verify: 'count',
    onConflict: 'replace',
    deleteExtra: false,
    databases: undefined,
    prefixes: [],
    limits: { keysPerSecond: 0, bytesPerSecond: 0, parallelRanges: 0 },
    ...changes,
  };
}

function report(changes: Partial<MigrationReport> = {}): MigrationReport {
  return {
    id: 'm',
    state: 'completed',
    mode: 'copy',
    source: { name: 'OLD', version: '7.0.15', keysAtStart: 3, keysNow: 3 },
    target: { name: 'NEW', version: '7.0.15', keysAtStart: 0, keysNow: 3 },
    progress: { percent: 100, keysPerSecond: 1, etaSeconds: null, ranges: { total: 1, done: 1, active: 0, failed: 0 } },
    counts: {
      scanned: 3,
      repeats: 0,
      copied: 3,
      converted: 0,
      skippedByFilter: 0,
      skippedByConflict: 0,
      expired: 0,
      failed: 0,
      same: 0,
      different: 0,
      uncompared: 0,
      extra: 0,
      deleted: 0,
      bytes: 0,
    },
    tally: { sourceKeys: 3, accountedKeys: 3, targetKeys: 3, missing: 0, verdict: 'completed' },
    warnings: [],
    conversions: [],
    findings: 0,
    startedAt: new Date(now - 10_000).toISOString(),
    finishedAt: new Date(now - 1_000).toISOString(),
    cause: null,
    ...changes,
  };
}

interface Planted {
  readonly request?: Partial<Request>;
  readonly sourceBefore?: Readonly<Record<string, string | KeyFacts>>;
  readonly sourceAfter?: Readonly<Record<string, string | KeyFacts>>;
  readonly targetBefore?: Readonly<Record<string, string | KeyFacts>>;
  readonly targetAfter?: Readonly<Record<string, string | KeyFacts>>;
  readonly touched?: readonly string[];
  readonly touchedOnTarget?: readonly string[];
  readonly more?: Partial<Evidence>;
}

/** A good copy onto an empty target, but for what is planted. The kinds of what the judge finds. */
function kinds(planted: Planted): string[] {
  const sourceBefore = planted.sourceBefore ?? source;
  return judge({
    request: request(planted.request),
    quiet: false,
    before: { source: snapshot(sourceBefore), target: snapshot(planted.targetBefore ?? {}) },
    after: {
      source: snapshot(planted.sourceAfter ?? sourceBefore),
      target: snapshot(planted.targetAfter ?? source),
    },
    touched: { source: new Set(planted.touched ?? []), target: new Set(planted.touchedOnTarget ?? []) },
    losses: [],
    ended: [],
    leftovers: [],
    torn: [],
    report: report(),
    findings: [],
    findingsAreAll: true,
    olderTarget: false,
    startedAnew: false,
    intruded: false,
    readAt: now,
    ...planted.more,
  }).map(({ kind }) => kind);
}

const lost = (side: 'source' | 'target', to = now - 8_000): Partial<Evidence> => ({ losses: [{ side, to }] });
const differs = report({ state: 'completedWithDifferences', findings: 1 });
const { '0:b': _b, ...withoutB } = source;

describe('nothing is found', () => {
  it.each<[string, Planted]>([
    ['in a good copy', {}],
    ['in a quiet one', { more: { quiet: true } }],
    [
      'where a key that is missing was written meanwhile',
      { targetAfter: withoutB, touched: ['0:b'], more: { report: report({ warnings: ['a sync is due'] }) } },
    ],
    [
      'where a key that is missing was deleted from the target by others',
      { targetAfter: withoutB, touchedOnTarget: ['0:b'] },
    ],
    [
      'where a key that is missing expired',
      {
        sourceBefore: { ...source, '0:b': facts('two', { expiresAt: now + 100 }) },
        sourceAfter: withoutB,
        targetAfter: withoutB,
      },
    ],
    [
      'where what is missing is told',
      { targetAfter: withoutB, more: { report: report({ ...differs, tally: { ...differs.tally, missing: 1 } }) } },
    ],
    [
      'where the target lost a key when the verdict was made up already',
      { targetAfter: withoutB, more: lost('target', now - 1_500) },
    ],
    [
      'where what is missing is told to have failed',
      { targetAfter: withoutB, more: { report: report({ ...differs, counts: { ...differs.counts, failed: 1 } }) } },
    ],
    [
      'where databases are mapped',
      { request: { databases: { 0: 2, 3: 3 } }, targetAfter: { '2:a': 'one', '2:b': 'two', '3:c': 'three' } },
    ],
    ['where a key that is not selected is not copied', { request: { prefixes: ['a', 'c'] }, targetAfter: withoutB }],
    [
      'where a conflict is skipped',
      {
        request: { onConflict: 'skip' },
        targetBefore: { '0:a': 'theirs' },
        targetAfter: { ...source, '0:a': 'theirs' },
      },
    ],
    ['where a key is replaced', { targetBefore: { '0:a': 'theirs' } }],
    [
      'where an extra key is deleted as asked',
      {
        request: { mode: 'sync', deleteExtra: true },
        targetBefore: { '0:x': 'extra' },
        more: { report: report({ counts: { ...report().counts, deleted: 1 } }) },
      },
    ],
    [
      'where a failure has a cause',
      { targetAfter: {}, more: { report: report({ state: 'failed', cause: 'It stood still.' }) } },
    ],
    [
      'where expiries are equal but for the accuracy of looking',
      {
        sourceBefore: { ...source, '0:b': facts('two', { expiresAt: now + 99_000 }) },
        targetAfter: { ...source, '0:b': facts('two', { expiresAt: now + 99_050 }) },
      },
    ],
    [
      'in a comparison that found what differs',
      {
        request: { mode: 'compare', verify: 'full' },
        targetBefore: { ...source, '0:b': 'other' },
        targetAfter: { ...source, '0:b': 'other' },
        more: { quiet: true, report: differs, findings: [{ id: '0:b', code: 'different-value' }] },
      },
    ],
    [
      'where an older target cannot hold all of a stream',
      {
        more: { quiet: true, olderTarget: true, report: differs, findings: [{ id: '0:b', code: 'lost-stream-facts' }] },
      },
    ],
  ])('%s', (_, planted) => {
    expect(kinds(planted)).toEqual([]);
  });
});

describe('a verdict that is not true', () => {
  it.each<[string, Planted, string[]]>([
    ['completed, and a key is missing', { targetAfter: withoutB }, ['missing-too-low', 'untrue-completed']],
    [
      'completed, and a value differs',
      { targetBefore: { '0:b': 'old' }, targetAfter: { ...source, '0:b': 'old' } },
      ['untrue-completed'],
    ],
    [
      'completed, and an expiry was lost',
      { targetBefore: { '0:b': 'two' }, sourceBefore: { ...source, '0:b': facts('two', { expiresAt: now + 99_000 }) } },
      ['untrue-completed'],
    ],
    [
      'completed, and the target came back empty',
      { targetAfter: {}, more: lost('target') },
      ['missing-too-low', 'untrue-completed'],
    ],
    [
      'completed, and a mapped key lies in the wrong database',
      { request: { databases: { 0: 2, 3: 3 } }, targetAfter: { '0:a': 'one', '2:b': 'two', '3:c': 'three' } },
      ['target-harmed', 'missing-too-low', 'untrue-completed'],
    ],
    [
      'a number of missing keys that is too low',
      {
        targetAfter: { '3:c': 'three' },
        more: { report: report({ ...differs, tally: { ...differs.tally, missing: 1 } }) },
      },
      ['missing-too-low'],
    ],
    [
      'completed, and the source was emptied',
      { sourceAfter: {}, targetAfter: { '0:a': 'one' }, more: lost('source') },
      ['completed-though-source-lost'],
    ],
    [
      'completed, and the source fell back',
      { sourceAfter: withoutB, targetAfter: withoutB, more: lost('source') },
      ['completed-though-source-lost'],
    ],
    [
      'completed with deleteExtra, and an extra key remains',
      {
        request: { mode: 'sync', deleteExtra: true },
        targetBefore: { '0:x': 'extra' },
        targetAfter: { ...source, '0:x': 'extra' },
      },
      ['extra-left'],
    ],
    [
      'a comparison that says completed',
      { request: { mode: 'compare', verify: 'full' }, targetBefore: withoutB, targetAfter: withoutB },
      ['untrue-completed'],
    ],
    [
      'a comparison that says completed, and a key is extra',
      {
        request: { mode: 'compare', verify: 'full' },
        targetBefore: { ...source, '0:x': 'x' },
        targetAfter: { ...source, '0:x': 'x' },
      },
      ['untrue-completed'],
    ],
    [
      'a comparison that invents a difference',
      {
        request: { mode: 'compare', verify: 'full' },
        targetBefore: source,
        more: { report: differs, findings: [{ id: '0:a', code: 'different-value' }] },
      },
      ['false-difference'],
    ],
    [
      'a comparison that overlooks one',
      {
        request: { mode: 'compare', verify: 'full' },
        targetBefore: { '3:c': 'three' },
        targetAfter: { '3:c': 'three' },
        more: { report: differs, findings: [{ id: '0:a', code: 'missing' }] },
      },
      ['difference-not-found'],
    ],
    [
      'conflicts that were none',
      {
        request: { onConflict: 'skip' },
        more: { report: report({ counts: { ...report().counts, skippedByConflict: 2 } }) },
      },
      ['false-conflicts'],
    ],
    ['a mixture of two values', { touched: ['0:b'], more: { torn: ['0:b'] } }, ['torn-key']],
    ['no word about writers', { touched: ['0:b'], sourceAfter: { ...source, '0:b': 'newer' } }, ['writers-untold']],
    [
      'differences without a word',
      { more: { report: report({ state: 'completedWithDifferences' }) } },
      ['unexplained'],
    ],
    ['a failure without a cause', { more: { report: report({ state: 'failed' }) } }, ['unexplained']],
    [
      'a failure although nothing happened',
      { more: { quiet: true, report: report({ state: 'failed', cause: 'It stood still.' }) } },
      ['false-alarm'],
    ],
    ['no verdict', { more: { report: undefined } }, ['stands-still']],
  ])('%s', (_, planted, expected) => {
    expect(kinds(planted)).toEqual(expected);
  });
});

describe('harm', () => {
  it.each<[string, Planted, string[]]>([
    ['a key of the target that the source never had is gone', { targetBefore: { '0:x': 'theirs' } }, ['target-harmed']],
    [
      'a key of another database is gone',
      {
        request: { databases: { 0: 0 }, mode: 'sync', deleteExtra: true },
        targetBefore: { '3:c': 'theirs' },
        targetAfter: { '0:a': 'one', '0:b': 'two' },
      },
      ['target-harmed'],
    ],
    [
      'a key that was to be skipped is replaced',
      { request: { onConflict: 'skip' }, targetBefore: { '0:a': 'theirs' } },
      ['target-harmed', 'untrue-completed'],
    ],
    ['a dry run writes', { request: { mode: 'dry-run' }, targetAfter: { '0:a': 'one' } }, ['target-harmed']],
    [
      'a comparison changes a key',
      {
        request: { mode: 'compare', verify: 'full' },
        targetBefore: { '0:a': 'other' },
        targetAfter: { '0:a': 'one' },
        more: { report: report({ state: 'cancelled' }) },
      },
      ['target-harmed'],
    ],
    ['a key that nobody has was made', { targetAfter: { ...source, '0:y': 'y' } }, ['target-harmed']],
    [
      'a key that both had is deleted',
      {
        request: { mode: 'sync', deleteExtra: true },
        targetBefore: { '0:b': 'two' },
        targetAfter: withoutB,
        more: { report: report({ state: 'failed', cause: 'The source is empty.' }) },
      },
      ['target-key-gone'],
    ],
    [
      'a key that both had is deleted after the source lost it',
      {
        request: { mode: 'sync', deleteExtra: true },
        targetBefore: { '0:b': 'two' },
        sourceAfter: withoutB,
        targetAfter: withoutB,
        more: { ...lost('source'), report: report({ state: 'failed', cause: 'The source restarted.' }) },
      },
      ['target-key-gone'],
    ],
    [
      'more is deleted than was extra',
      {
        request: { mode: 'sync', deleteExtra: true },
        more: { report: report({ counts: { ...report().counts, deleted: 3 } }) },
      },
      ['deleted-too-many'],
    ],
    [
      'half a key is there',
      { targetAfter: { ...source, '0:b': 'tw' }, more: { report: report({ state: 'failed', cause: 'x' }) } },
      ['target-key-spoilt'],
    ],
    [
      'the source is written to',
      {
        sourceAfter: { ...source, '0:b': 'changed' },
        targetAfter: { ...source, '0:b': 'changed' },
        more: { report: differs },
      },
      ['source-harmed'],
    ],
    ["a server's process ends", { more: { ended: ['target'] } }, ['process-ended']],
    [
      'a key of ours is left',
      {
        targetAfter: { ...source, '0:keyferry:temporary:x': 'x' },
        more: { leftovers: ['target 0:keyferry:temporary:x'] },
      },
      ['keys-left'],
    ],
    ['two migrations write at once', { more: { intruded: true } }, ['two-writers']],
  ])('%s', (_, planted, expected) => {
    expect(kinds(planted)).toEqual(expected);
  });
});
