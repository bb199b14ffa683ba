import { lossOfShards, lossOfSource, type SourceCourse } from '../../src/tally/source-loss';
import { doubtOfCourse } from '../../src/migration/source-doubt';

const restarted: SourceCourse = {
  since: { process: 'changed', flushed: 'unknown' },
  keysBefore: 1_000,
  keysNow: 0,
  expired: 0,
  lostBefore: 0,
  shrinkPercent: 20,
};

describe('a source has lost its data', () => {
  it.each<[string, Partial<SourceCourse>, RegExp | undefined]>([
    ['when it restarted empty', {}, /had 1000 keys and has 0 now, since when it restarted/],
    ['however few it had', { keysBefore: 1 }, /1 keys/],
    ['when it restarted with an old snapshot', { keysNow: 799 }, /has 799 now/],
    ['not when it came back with about what it had', { keysNow: 800 }, undefined],
    ['when it loses a little each time', { keysNow: 900, lostBefore: 200 }, /had 1200 keys and has 900 now/],
    ['not when it came back with more', { keysNow: 2_000 }, undefined],
    ['whatever it expired since it restarted', { expired: 1_000 }, /has 0 now/],
    ['when it was flushed', { since: { process: 'same', flushed: 'yes' } }, /since when it was flushed/],
    ['not by a flush of another database', { since: { process: 'same', flushed: 'yes' }, keysNow: 1_000 }, undefined],
    ['not by keys that are deleted one by one', { since: { process: 'same', flushed: 'no' } }, undefined],
    [
      'when nobody knows whether it was flushed, and next to nothing is left',
      { since: { process: 'same', flushed: 'unknown' } },
      /does not tell/,
    ],
    ['not when then some is left', { since: { process: 'same', flushed: 'unknown' }, keysNow: 120 }, undefined],
    ['not when its keys have expired', { since: { process: 'same', flushed: 'unknown' }, expired: 900 }, undefined],
    ['not when it had none', { keysBefore: 0 }, undefined],
  ])('%s', (_, changes, expected) => {
    const loss = lossOfSource({ ...restarted, ...changes });
    if (expected === undefined) expect(loss).toBeUndefined();
    else expect(loss).toMatch(expected);
  });
});

describe('a master of a cluster has lost its data', () => {
  const shard = (first: number, last: number, keys?: number) => ({
    node: `10.0.0.1:${first}`,
    slots: [[first, last]] as [number, number][],
    keys,
    trouble: null,
  });
  const before = [shard(0, 99, 1_000), shard(100, 16_383, 100_000)];
  it.each([
    [
      'when it comes back without its keys',
      [shard(0, 99, 0), shard(100, 16_383, 100_000)],
      /one of its masters had 1000/,
    ],
    ['not when it has about what it had', [shard(0, 99, 950), shard(100, 16_383, 90_000)], undefined],
    ['not by a few keys', [shard(0, 99, 901), shard(100, 16_383, 99_950)], undefined],
    ['not where its slots are others', [shard(0, 9, 0), shard(10, 16_383, 101_000)], undefined],
    [
      "when it comes back without its keys, and some of its slots are another one's by then",
      [shard(0, 49, 0), shard(50, 16_383, 100_000)],
      /some of its masters together had 101000 keys and has 100000/,
    ],
    ['not by a few keys where slots are others', [shard(0, 49, 500), shard(50, 16_383, 100_350)], undefined],
    ['not where nothing is told of any', [], undefined],
    ['not while it does not answer', [shard(0, 99), shard(100, 16_383, 100_000)], undefined],
  ] as const)('%s', (_, now, expected) => {
    const loss = lossOfShards(restarted, before, now);
    if (expected === undefined) expect(loss).toBeUndefined();
    else expect(loss).toMatch(expected);
    expect(lossOfShards({ ...restarted, since: { process: 'same', flushed: 'no' } }, before, now)).toBeUndefined();
  });
});

describe('a sync that deletes does not go on', () => {
  const same = { process: 'same', flushed: 'no', reset: false } as const;
  const course = { since: same, sourceKeysAtStart: 1_000, sourceKeys: 1_000, shrinkPercent: 20 };

  it.each<[string, Partial<typeof course> | object, RegExp | undefined]>([
    ['when the source restarted, whatever it has', { since: { ...same, process: 'changed' } }, /restarted/],
    ['when it does not tell whether it did', { since: { ...same, process: 'unknown' } }, /does not tell/],
    ['when it was flushed, whatever it has', { since: { ...same, flushed: 'yes' } }, /flushed/],
    ['when its counters were set back', { since: { ...same, reset: true } }, /set back/],
    ['when it has shrunk', { sourceKeys: 799 }, /had 1000 keys .* has 799 now/],
    ['but with a little less', { sourceKeys: 800 }, undefined],
    ['but where it had none', { sourceKeysAtStart: 0, sourceKeys: 0 }, undefined],
  ])('%s', (_, changes, expected) => {
    const doubt = doubtOfCourse({ ...course, ...changes });
    if (expected === undefined) expect(doubt).toBeUndefined();
    else expect(doubt).toMatch(expected);
  });
});
