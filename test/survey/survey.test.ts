import { fatesOf, type FateRules, type KeyState } from '../../src/survey/fate';
import type { KeyFacts } from '../../src/survey/key-facts';
import { LARGEST_KEYS } from '../../src/survey/largest-keys';
import { packSurvey, unpackSurvey } from '../../src/survey/packing';
import { Survey } from '../../src/survey/survey';
import { makeSurveyReport } from '../../src/survey/survey-report';
import { noCounts } from '../../src/migration/counts';
import { aMigration, aPlan, plainSource, plainTarget } from '../tools/rows';

const facts: KeyFacts = { type: 'string', encoding: 'raw', expiresIn: undefined, bytes: 100, fieldExpiries: false };
const rules: FateRules = { onConflict: 'replace', databaseThere: true, fieldExpiries: false };
const state: KeyState = { facts, claimed: false, renamed: false, exists: false, passage: 'as-is' };
const withheld = { code: 'module-missing' as const, message: 'why' };
const json = { ...facts, type: 'ReJSON-RL' };

describe('the fate of a key', () => {
  it.each<[string, Partial<KeyState>, Partial<FateRules>, readonly string[]]>([
    ['an ordinary key', {}, {}, ['copied']],
    ['one that the target has', { exists: true }, {}, ['copied', 'exists', 'overwritten']],
    ['the same, to be skipped', { exists: true }, { onConflict: 'skip' }, ['skipped', 'exists']],
    ['one with another name', { renamed: true }, {}, ['copied', 'renamed']],
    ['a big one', { passage: 'by-commands' }, {}, ['copied', 'byCommands']],
    ['one that is written anew', { passage: 're-encoded' }, {}, ['copied']],
    ['one that is gone', { facts: undefined }, {}, ['expired']],
    ['a converted one', { claimed: true, renamed: true }, {}, ['claimed', 'renamed']],
    ['a module type', { facts: json, passage: withheld }, {}, ['unsupportedType']],
    ['a module type that is known there', { facts: json }, {}, ['copied']],
    ['a big one of such a type', { facts: json, passage: 'by-commands' }, {}, ['unsupportedType']],
    [
      'a big one of such a type, that is there and is to be skipped',
      { facts: json, passage: 'by-commands', exists: true },
      { onConflict: 'skip' },
      ['skipped', 'exists'],
    ],
    ['no database for it', { exists: true }, { databaseThere: false }, ['noDatabase']],
    ['field expiries', { facts: { ...facts, type: 'hash', fieldExpiries: true } }, {}, ['copied', 'losesFieldExpiry']],
    ['field expiries known there', { facts: { ...facts, fieldExpiries: true } }, { fieldExpiries: true }, ['copied']],
  ])('%s', (_, changes, others, expected) => {
    expect(fatesOf({ ...state, ...changes }, { ...rules, ...others })).toEqual(expected);
  });
});

function surveyed(from: number, to: number, database = 0): Survey {
  const survey = new Survey();
  const keys = Array.from({ length: to - from }, (_, i) => ({
    key: Buffer.from(`k:${from + i}`),
    facts: { ...facts, bytes: from + i, expiresIn: (from + i) % 2 === 0 ? 30 : undefined },
    fates: ['copied' as const],
  }));
  survey.add(database, keys);
  survey.addPace({ firstAt: 1_000 + from, lastAt: 2_000 + to, readMs: 10, workMs: 20, payloadBytes: 5 });
  return survey;
}

function reportOf(survey: Survey) {
  return makeSurveyReport(aMigration({ plan: aPlan() }), survey, noCounts, true);
}

it('merges to what one walk over all keys learns, also through what is kept', async () => {
  const whole = surveyed(0, 1_000);
  const merged = new Survey();
  for (const [from, to] of [
    [500, 1_000],
    [0, 200],
    [200, 500],
  ] as const) {
    merged.merge(await unpackSurvey(packSurvey(surveyed(from, to))));
  }
  const { time: _time, ...expected } = reportOf(whole);
  expect(reportOf(merged)).toMatchObject(expected);
  expect(expected.total).toEqual({ keys: 1_000, bytes: 499_500 });
  expect(expected.largestKeys).toHaveLength(LARGEST_KEYS);
  expect(expected.largestKeys[0]).toMatchObject({ key: 'k:999', bytes: 999 });
  expect(expected.largestKeys.at(-1)).toMatchObject({ bytes: 950 });
  expect(expected.expiries.filter(({ keys }) => keys > 0)).toEqual([
    { from: null, to: null, keys: 500, bytes: 250_000 },
    { from: 0, to: 60, keys: 500, bytes: 249_500 },
  ]);
  expect(expected.prefixes).toMatchObject([{ key: 'k:', keys: 1_000 }]);
  expect(merged.pace).toEqual({ firstAt: 1_000, lastAt: 3_000, readMs: 30, workMs: 60, payloadBytes: 15 });
});

it('writes no names down where they are confidential', async () => {
  const survey = new Survey('hash');
  survey.add(0, [{ key: Buffer.from('secret:1'), facts, fates: ['copied'] }]);
  const again = await unpackSurvey(packSurvey(survey), 'hash');
  again.add(0, [{ key: Buffer.from('secret:2'), facts, fates: ['copied'] }]);
  const report = reportOf(again);
  expect(report).toMatchObject({ total: { keys: 2 }, prefixes: [] });
  expect(report.largestKeys.map(({ key }) => key)).toEqual([
    expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
  ]);
  expect(JSON.stringify(again.toKept())).not.toContain('secret');
});

it('stays far below what a row holds, whatever names come', () => {
  const survey = new Survey();
  for (let page = 0; page < 200; page++) {
    survey.add(
      0,
      Array.from({ length: 250 }, (_, i) => ({
        key: Buffer.from(
          Array.from({ length: 320 }, (_byte, at) => (at % 60 === 59 ? 0x3a : (at * 31 + i * page * 7) & 0xff)),
        ),
        facts,
        fates: ['copied' as const],
      })),
    );
  }
  expect(packSurvey(survey).length).toBeLessThan(900_000);
});

it.each([
  [0, 1_000_000, null],
  [200_000, 100_000, true],
  [110_000, 100_000, false],
])('memory: limit %i, used %i: fits %s', (maxMemory, usedMemory, fits) => {
  const used = maxMemory === 0 ? usedMemory : 100_000;
  const plan = aPlan({ target: { ...plainTarget, maxMemory, usedMemory: used } });
  const report = makeSurveyReport(aMigration({ plan }), surveyed(0, 200), noCounts, true);
  // 19,900 bytes of keys, 16 for each in the table, 40 for each of the 100 expiries.
  expect(report.memory).toMatchObject({ needed: 19_900 + 200 * 16 + 100 * 40, fits });
});

it('estimates the time by the share that reading had, and by a rule where every key goes by commands', () => {
  const survey = new Survey();
  survey.add(0, [{ key: Buffer.from('a'), facts, fates: ['copied'] }]);
  survey.addPace({ firstAt: 1, lastAt: 10_001, readMs: 15_000, workMs: 20_000, payloadBytes: 750 });
  expect(reportOf(survey).time).toMatchObject({ basis: 'read', seconds: 7.5, bytesPerSecond: 100 });
  const plan = aPlan({ transport: 'commands', source: plainSource });
  expect(makeSurveyReport(aMigration({ plan }), survey, noCounts, true)).toMatchObject({
    time: { basis: 'commands' },
    notCarriedOver: { payloadTooNew: true },
  });
  expect(reportOf(new Survey()).time).toBeNull();
});
