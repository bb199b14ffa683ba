import { cursorAt } from '../../src/keyspace/slot-walk';
import { noCounts } from '../../src/migration/counts';
import type { RangeRow } from '../../src/migration/rows';
import { shardsReport, sumShards, withUnowned, type ShardTold } from '../../src/migration/shards';
import { aMigration, aPlan, aRange, aRequest, plainSource, plainTarget } from '../tools/rows';

const plan = aPlan({ source: { ...plainSource, cluster: true }, target: { ...plainTarget, cluster: true } });
const migration = aMigration({ plan });
/** Three masters, as redis-cli makes them. */
const told: ShardTold[] = [
  { node: 'a:1', slots: [[0, 5_460]], keys: 100, trouble: null },
  { node: 'b:2', slots: [[5_461, 10_922]], keys: 200, trouble: null },
  { node: 'c:3', slots: [[10_923, 16_383]], trouble: 'Connection "OLD": no answer.' },
];
/** One of four ranges of 4,096 slots, at a slot, with so many keys. */
const at = (index: number, slot: number, keys: number, changes: Partial<RangeRow> = {}): RangeRow =>
  aRange(index, {
    state: 'active',
    cursor: String(cursorAt(slot)),
    counts: { ...noCounts, scanned: keys, copied: keys },
    ...changes,
  });
const rows = [
  at(0, 0, 70, { state: 'done', share: 1, cursor: '0' }),
  at(1, 8_192, 90, { state: 'done', share: 1, cursor: '0', borders: [[5_461, 30]] }),
  at(2, 8_193, 5, { trouble: 'Connection "NEW": no answer.' }),
  at(3, 12_288, 0, { state: 'planned' }),
];
const sum = (some: readonly RangeRow[], shards = told, row = migration) =>
  shardsReport(sumShards(row, { source: shards }, some) ?? {}).source?.map(({ walked, percent, trouble }) => [
    walked,
    percent,
    trouble,
  ]);

it('a range that goes over several masters counts for each what was walked of its slots', () => {
  expect(shardsReport(sumShards(migration, { source: told }, rows) ?? {})).toEqual({
    source: [
      { node: 'a:1', slots: 5_461, keys: 100, walked: 100, percent: 100, trouble: null },
      { node: 'b:2', slots: 5_462, keys: 200, walked: 65, percent: 50, trouble: 'Connection "NEW": no answer.' },
      { node: 'c:3', slots: 5_461, keys: null, walked: 0, percent: 0, trouble: 'Connection "OLD": no answer.' },
    ],
  });
});

it('what was counted together for slots of two masters is unknown for both, and for no other', () => {
  const unmarked = rows.map((row) => (row.number === 1 ? { ...row, borders: [] } : row));
  expect(sum(unmarked)).toEqual([
    [null, 100, null],
    [null, 50, 'Connection "NEW": no answer.'],
    [0, 0, 'Connection "OLD": no answer.'],
  ]);
  // Slots have moved since: what was noted at the former border stands for slots of one master, and of two.
  const moved = told.map((shard, i): ShardTold => ({
    ...shard,
    slots: i === 0 ? [[0, 5_000]] : i === 1 ? [[5_001, 10_922]] : shard.slots,
  }));
  expect(sum(rows, moved)?.map(([walked]) => walked)).toEqual([null, null, 0]);
  const back = rows.map((row) => (row.number === 1 ? { ...row, borders: [[5_461, 95] as const] } : row));
  expect(sum(back)?.map(([walked]) => walked)).toEqual([165, null, 0]);
});

it('what is done ahead of the cursor belongs to the master of the slot at the cursor', () => {
  const ahead = at(1, 5_461, 40, { borders: [[5_461, 30]], inside: true });
  expect(sum([ahead])?.map(([walked]) => walked)).toEqual([30, 10, 0]);
});

it('a range of which nothing is known leaves its masters unknown', () => {
  const broken: RangeRow = { ...at(2, 8_193, 0), broken: true, state: 'failed' };
  expect(sum([...rows.slice(0, 2), broken, ...rows.slice(3)])?.map(([walked, percent]) => [walked, percent])).toEqual([
    [100, 100],
    [null, 50],
    [null, 0],
  ]);
});

it('masters of the target are told by the slots of the source only where keys keep their names', () => {
  const sides = { target: told };
  expect(sumShards(migration, sides, rows)?.target?.map(({ walked }) => walked)).toEqual([100, 65, 0]);
  const renaming = aRequest({ rename: [{ from: '^a', to: 'b' }] });
  const others = [
    { ...plan, request: renaming },
    { ...plan, databases: [{ ...plan.databases[0]!, prefix: 'p:' }] },
    { ...plan, source: plainSource },
  ];
  for (const other of others) {
    const [first] = sumShards(aMigration({ plan: other }), sides, rows)?.target ?? [];
    expect(first).toEqual({ ...told[0], heldUp: null });
    expect(shardsReport({ target: [first!] }).target).toMatchObject([{ keys: 100, walked: null, percent: null }]);
  }
  expect(sumShards(migration, {}, rows)).toBeUndefined();
});

it('slots that no master has are told', () => {
  expect(withUnowned(told)).toEqual(told);
  expect(withUnowned([told[0]!, told[2]!])[2]).toEqual({
    node: null,
    slots: [[5_461, 10_922]],
    trouble: expect.stringMatching(/No master/) as string,
  });
});
