import { HeardNames } from '../../src/live/heard-names';

const key = (name: string) => Buffer.from(name);
const all = (heard: HeardNames) =>
  heard
    .all()
    .map((name) => name.toString('latin1'))
    .sort();

it('forgets what was heard before a mark that is applied, and not what was heard again since', () => {
  const heard = new HeardNames(1_000_000);
  heard.release();
  heard.note(key('a'));
  heard.note(key('b'));
  heard.cut(1);
  heard.note(key('a'));
  heard.cut(2);
  heard.note(key('c'));
  heard.drop(1);
  expect(all(heard)).toEqual(['a', 'c']);
  heard.drop(2);
  expect(all(heard)).toEqual(['c']);
});

it('keeps what was heard during a pass, although it is applied, until the pass has ended', () => {
  const heard = new HeardNames(1_000_000);
  heard.note(key('a'));
  heard.cut(1);
  heard.drop(1);
  expect(all(heard)).toEqual(['a']);
  heard.note(key('b'));
  heard.release();
  expect(all(heard)).toEqual(['b']);
});

it('of a pass that began lately all counts that is held', () => {
  const heard = new HeardNames(1_000_000);
  heard.release();
  heard.note(key('a'));
  heard.cut(1);
  heard.note(key('b'));
  heard.keep();
  heard.note(key('c'));
  heard.cut(2);
  heard.drop(2);
  expect(all(heard)).toEqual(['a', 'b', 'c']);
});

it('says when there is no room, and has some again once names are applied', () => {
  const heard = new HeardNames(250);
  heard.release();
  expect([heard.note(key('a')), heard.note(key('a')), heard.note(key('b')), heard.note(key('c'))]).toEqual([
    true,
    true,
    true,
    false,
  ]);
  heard.cut(1);
  heard.drop(1);
  expect(heard.note(key('d'))).toBe(true);
});

it('tells which names are applied, and were not heard again since', () => {
  const heard = new HeardNames(1_000_000);
  for (const name of ['a', 'b', 'c']) heard.note(key(name));
  heard.cut(1);
  heard.note(key('b'));
  heard.cut(2);
  heard.note(key('c'));
  expect(heard.drop(1)).toEqual(['a']);
  expect(heard.drop(2)).toEqual(['b']);
  expect(heard.drop(2)).toEqual([]);
});
