import { mayHaveExtra } from '../../src/tally/judge';
import { noCounts } from '../../src/migration/counts';
import { aPlan, aRequest } from '../tools/rows';

const still = { sourceAtStart: 100, sourceNow: 100, targetAtStart: 98, targetNow: 98 };
const counts = { ...noCounts, scanned: 100, same: 95, different: 3, missing: 2 };
const [database] = aPlan().databases;
const intoOne = aPlan({ databases: [database!, { ...database!, database: 1, prefix: 'b:' }] });

it.each<[string, Parameters<typeof mayHaveExtra>, boolean]>([
  ['not where every key of the target was met', [aPlan(), counts, still], false],
  ['where it has more', [aPlan(), counts, { ...still, targetAtStart: 99, targetNow: 99 }], true],
  ['where its number has moved', [aPlan(), counts, { ...still, targetAtStart: 99 }], true],
  ["where the source's has", [aPlan(), counts, { ...still, sourceAtStart: 101 }], true],
  ['where a side does not answer', [aPlan(), counts, { ...still, targetNow: undefined }], true],
  [
    'where the source tells no number',
    [aPlan(), counts, { ...still, sourceAtStart: undefined, sourceNow: undefined }],
    true,
  ],
  [
    'where the target tells none',
    [aPlan(), counts, { ...still, targetAtStart: undefined, targetNow: undefined }],
    true,
  ],
  ['where keys were met twice', [aPlan(), { ...counts, repeats: 1 }, still], true],
  ['where keys expired', [aPlan(), { ...counts, expired: 1 }, still], true],
  ['where databases go into one', [intoOne, counts, still], true],
  [
    'where sessions are converted',
    [aPlan({ request: aRequest({ convert: ['aspnet-session-v5'] }) }), counts, still],
    true,
  ],
])('the target may have extra keys: %s', (_, args, expected) => {
  expect(mayHaveExtra(...args)).toBe(expected);
});
