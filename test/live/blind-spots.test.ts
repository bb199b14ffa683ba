import {
  changesOf,
  groupCallsOf,
  missedOnAny,
  missedSince,
  othersSince,
  type SourceMarks,
} from '../../src/live/blind-spots';
import type { Mark } from '../../src/migration/since';

const before: Mark = {
  runId: 'a',
  changes: 10,
  lastSave: 1,
  restores: 0,
  otherChanges: 50,
  flushes: 1,
  swaps: 1,
  expiredKeys: 3,
  commandsProcessed: 100,
};

it.each<[string, Partial<Mark>, RegExp | undefined]>([
  ['writes are told by the feed', { changes: 900, otherChanges: 940, commandsProcessed: 1_000 }, undefined],
  ['another process', { runId: 'b' }, /restarted/],
  ['another data set', { replicationId: 'other' }, undefined],
  ['exchanged databases', { flushes: 2, swaps: 2, otherChanges: 51 }, /SWAPDB/],
  ['a flush', { flushes: 2, otherChanges: 51 }, /emptied/],
  ['counters that were set back', { flushes: 0, swaps: 0, otherChanges: 0, commandsProcessed: 2 }, /RESETSTAT/],
])('%s', (_, changes, reason) => {
  const missed = missedSince(before, { ...before, ...changes });
  if (reason === undefined) expect(missed).toBeUndefined();
  else expect(missed).toMatch(reason);
});

it('what changes the groups of streams is counted, and nothing else', () => {
  const commandCalls = { xreadgroup: 3, xack: 2, 'xgroup|create': 1, xgroup: 1, xadd: 100, set: 5 };
  expect(groupCallsOf({ commandCalls })).toBe(7);
  expect(groupCallsOf({ commandCalls: undefined })).toBeUndefined();
});

describe('of a source of several servers', () => {
  const marks: SourceMarks = {
    servers: [before, { ...before, runId: 'b' }],
    slots: 'a 0-9\nb 10-19',
    areMoving: false,
  };
  const [one, other] = marks.servers as [Mark, Mark];

  it('those that are other processes are told apart, and count their changes for themselves', () => {
    const begun = { ...other, runId: 'c', changes: 2, restores: 0, otherChanges: 1 };
    const others = othersSince(marks, { ...marks, servers: [{ ...one, changes: 9_000 }, begun] });
    expect(others).toEqual([begun]);
    expect(others.map(changesOf)).toEqual([2]);
    expect(changesOf({ ...begun, restores: undefined })).toBeUndefined();
    expect(othersSince(marks, marks)).toEqual([]);
  });

  it.each<[string, Partial<SourceMarks>, RegExp | undefined]>([
    ['nothing happened', { servers: [other, one] }, undefined],
    ['one is another process', { servers: [one, { ...other, runId: 'c' }] }, /restarted/],
    ['one has gone', { servers: [one] }, /restarted/],
    ['slots moved', { slots: 'a 0-8\nb 9-19' }, /Slots/],
    // Their sums have grown all the same.
    [
      'the counters of one were set back',
      {
        servers: [
          { ...one, commandsProcessed: 900 },
          { ...other, commandsProcessed: 1 },
        ],
      },
      /RESETSTAT/,
    ],
  ])('%s', (_, changes, reason) => {
    const missed = missedOnAny(marks, { ...marks, ...changes });
    if (reason === undefined) expect(missed).toBeUndefined();
    else expect(missed).toMatch(reason);
  });
});
