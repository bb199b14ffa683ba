import { ChangedNames, keyOf, nameOf } from '../../src/live/changed-names';

let now = 0;

function names(limits: Partial<ConstructorParameters<typeof ChangedNames>[0]> = {}): ChangedNames {
  now = 0;
  return new ChangedNames({ lanes: 1, mostBytes: 1e9, ...limits }, () => now);
}

const note = (set: ChangedNames, ...keys: string[]) => keys.map((key) => set.note(Buffer.from(key)));
const taken = (set: ChangedNames, most = 10, hurries = false) => set.take(0, most, hurries).map(({ name }) => name);

/** Takes and applies all that there is. */
function applyAll(set: ChangedNames, readMs = 0): string[] {
  const all = set.take(0, 1_000, true);
  for (const changed of all) set.done(0, changed, readMs);
  return all.map(({ name }) => name);
}

it('names are taken once, in the order in which they were told', () => {
  const set = names();
  note(set, 'a', 'b', 'a', 'c');
  expect(set.size).toBe(3);
  expect(taken(set, 2)).toEqual(['a', 'b']);
  expect(taken(set)).toEqual(['c']);
  expect(taken(set)).toEqual([]);
});

it('a name that changes while it is applied is applied again', () => {
  const set = names();
  note(set, 'a');
  const [changed] = set.take(0, 1);
  note(set, 'a');
  // Not in the same moment: who has it writes first.
  expect(taken(set)).toEqual([]);
  expect(set.isOpen('a')).toBe(true);
  if (changed !== undefined) set.done(0, changed, 0);
  expect(set.isOpen('a')).toBe(true);
  expect(taken(set)).toEqual(['a']);
});

it('names that were given back are first, and as old as they were', () => {
  const set = names();
  note(set, 'a', 'b');
  const [a] = set.take(0, 1);
  now = 100;
  note(set, 'a', 'c');
  if (a !== undefined) set.giveBack(0, a);
  expect(set.oldestMs).toBe(100);
  expect(set.size).toBe(3);
  expect(taken(set)).toEqual(['a', 'b', 'c']);
});

it('any bytes are a name', () => {
  const key = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  expect(keyOf(nameOf(key))).toEqual(key);
});

it('a name is always in the same lane, and all lanes are used', () => {
  const set = names({ lanes: 4 });
  const keys = Array.from({ length: 1_000 }, (_, i) => `key:${i}`);
  note(set, ...keys);
  const lanes = [0, 1, 2, 3].map((lane) => set.take(lane, 1_000).map(({ name }) => name));
  expect(lanes.every(({ length }) => length > 150)).toBe(true);
  expect(lanes.flat().sort()).toEqual(keys.sort());
});

it('tells when all that was told before is applied', () => {
  const set = names();
  note(set, 'a', 'b');
  const place = set.told;
  note(set, 'c');
  const [a, b] = set.take(0, 2);
  expect(set.isAppliedUpTo(place)).toBe(false);
  if (a !== undefined) set.done(0, a, 0);
  expect(set.isAppliedUpTo(place)).toBe(false);
  if (b !== undefined) set.giveBack(0, b);
  expect(set.isAppliedUpTo(place)).toBe(false);
  applyAll(set);
  expect(set.isAppliedUpTo(set.told)).toBe(true);
});

it('a name whose read was dear rests for twenty times as long, unless all must be done', () => {
  const set = names();
  note(set, 'big');
  const [big] = set.take(0, 1);
  note(set, 'big');
  if (big !== undefined) set.done(0, big, 50);
  note(set, 'big', 'small');
  now = 900;
  expect(taken(set)).toEqual(['small']);
  expect(set.size).toBe(2);
  expect(set.isAppliedUpTo(set.told)).toBe(false);
  expect(set.oldestMs).toBe(900);
  expect(taken(set, 10, true)).toEqual(['big']);

  const other = names();
  note(other, 'big');
  applyAll(other, 50);
  now = 999;
  note(other, 'big');
  expect(taken(other)).toEqual([]);
  now = 1_000;
  expect(taken(other)).toEqual(['big']);
});

it('names of a walk are applied once more when it has ended', () => {
  const set = names();
  set.keep();
  note(set, 'a', 'b');
  expect(applyAll(set)).toEqual(['a', 'b']);
  note(set, 'b');
  expect(set.keptSize).toBe(2);
  const place = set.release();
  expect([set.keptSize, set.size]).toEqual([0, 2]);
  expect(set.isAppliedUpTo(place)).toBe(false);
  expect(applyAll(set).sort()).toEqual(['a', 'b']);
  expect(set.isAppliedUpTo(place)).toBe(true);
  note(set, 'c');
  expect(set.keptSize).toBe(0);
});

it('says when there is no more room, and has it again once names are applied', () => {
  const set = names({ mostBytes: 450 });
  set.keep();
  expect(note(set, 'a', 'b', 'a', 'c')).toEqual([true, true, true, false]);
  set.clear();
  expect(set.size + set.keptSize).toBe(0);
  for (let i = 0; i < 1_000; i++) {
    expect(note(set, `name:${i}`)).toEqual([true]);
    const [changed] = set.take(0, 1);
    note(set, `name:${i}`);
    if (changed !== undefined && i % 2 === 0) set.giveBack(0, changed);
    else if (changed !== undefined) set.done(0, changed, 0);
    applyAll(set, i % 3);
    set.release();
    applyAll(set);
    set.keep();
  }
});

it('keys that have the same name on the target are in the same lane', () => {
  const placeOf = (key: Buffer) => Buffer.from(key.toString().replace(/^old:/, ''));
  const all = new ChangedNames({ lanes: 4, mostBytes: 1e9, placeOf });
  for (let i = 0; i < 50; i++) for (const start of ['', 'old:']) all.note(Buffer.from(`${start}${i}`));
  for (let lane = 0; lane < 4; lane++) {
    const places = all.take(lane, 1_000).map(({ name }) => placeOf(Buffer.from(name)).toString());
    expect(places.length).toBe(2 * new Set(places).size);
  }
});

it('what is on its way when names begin to be kept, or are forgotten, is applied once more', () => {
  const set = names();
  note(set, 'a', 'b', 'c');
  const [a, b] = set.take(0, 2);
  expect(set.areResting).toBe(false);
  set.keep();
  expect(set.keptSize).toBe(2);
  // There is no room for more: what those on their way became since may have been among it.
  set.clear();
  expect([set.size, set.keptSize]).toEqual([2, 0]);
  set.keep();
  if (a !== undefined) set.done(0, a, 0);
  if (b !== undefined) set.giveBack(0, b);
  expect(set.areResting).toBe(true);
  expect(applyAll(set)).toEqual(['b']);
  set.release();
  expect(applyAll(set).sort()).toEqual(['a', 'b']);
  expect(set.keptSize).toBe(0);
});
