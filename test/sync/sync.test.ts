import { compareServers } from '../tools/compare-servers';
import { Stage } from '../tools/stage';
import { makeTestApp, type TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';
import { fillOdd } from '../e2e/support/fill-odd';
import { run } from '../tools/modes';

const stage = new Stage();
let old: TestServer;
let neu: TestServer;
let app: TestApp;

beforeAll(async () => {
  [old, neu] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  app = await stage.testApp({ OLD: old, NEW: neu });
});
afterEach(() => Promise.all([old.client.flushall(), neu.client.flushall()]));
afterAll(() => stage.clear());

const differences = async () => (await compareServers(old.server, neu.server)).differences.map(({ text }) => text);

it('copies everything to an empty target, and then only what differs', async () => {
  const keys = await fillOdd(old);
  expect((await run(app, { mode: 'sync' })).report).toMatchObject({
    state: 'completed',
    counts: { scanned: keys, copied: keys, same: 0 },
  });
  expect(await differences()).toEqual([]);
  const { report } = await run(app, { mode: 'sync' });
  expect(report).toMatchObject({ state: 'completed', counts: { scanned: keys, copied: 0, same: keys, bytes: 0 } });

  await old.client.hset('hash:large', 'field 7', 'changed');
  await old.client.persist('expiring:0');
  await old.client.pexpire('hash:wide', 100_000);
  await old.client.set('new', 'x');
  await neu.client.del('list:wide');
  await neu.client.rpush('list:small', 'more');
  const after = await run(app, { mode: 'sync' });
  expect(after.report).toMatchObject({ state: 'completed', counts: { copied: 6, same: keys + 1 - 6 } });
  // Of the hash of 200 KB only the expiry has changed: its value does not cross again.
  expect(after.report.counts.bytes).toBeLessThan(250_000);
  expect(await differences()).toEqual([]);
});

it('leaves extra keys alone, or deletes them when asked to', async () => {
  await old.client.mset(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key:${i}`, 'x'])));
  await run(app, { mode: 'sync' });
  await neu.client.mset('extra:1', 'x', 'extra:2', 'x');
  await old.client.del('key:5');
  expect((await run(app, { mode: 'sync' })).report).toMatchObject({ state: 'completed', counts: { same: 99 } });
  expect(await neu.client.dbsize()).toBe(102);
  expect((await run(app, { mode: 'sync', deleteExtra: true })).report).toMatchObject({
    state: 'completed',
    counts: { same: 99, extra: 3, deleted: 3 },
    findings: 0,
  });
  expect(await differences()).toEqual([]);
});

it('tells which keys are extra from names that rules have changed, and from types that are selected', async () => {
  const rename = [{ from: '^old:(.*)$', to: 'new:$1' }];
  await old.client.mset('old:1', 'x', 'old:2', 'x', 'new:3', 'x', 'other', 'x');
  await run(app, { mode: 'sync', rename });
  await neu.client.mset('new:4', 'x', 'old:5', 'of others');
  await old.client.del('old:2', 'new:3');
  await old.client.set('old:3', 'x');
  const { report } = await run(app, { mode: 'compare', rename });
  expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { same: 3, extra: 2 } });
  await run(app, { mode: 'sync', rename, deleteExtra: true, force: true });
  // A name that the rules give to no key is none of the migration's.
  expect((await neu.client.keys('*')).sort()).toEqual(['new:1', 'new:3', 'old:5', 'other']);

  // Two keys of the source are one on the target, so that their numbers say nothing.
  await old.client.set('old:6', 'x');
  await old.client.set('new:6', 'x');
  await neu.client.mset('new:6', 'x', 'new:7', 'x');
  await neu.client.del('old:5');
  const counted = await run(app, { mode: 'compare', rename });
  expect(counted.report.counts).toMatchObject({ scanned: 5, same: 5, extra: 1 });
  await neu.client.set('old:5', 'of others');
  await Promise.all([old.client.del('old:6', 'new:6'), neu.client.del('new:6', 'new:7')]);

  const select = { types: ['string'] };
  await old.client.del('other');
  await old.client.rpush('other', 'x');
  await neu.client.rpush('list', 'of others');
  // What the source has in any form, or has under a name that is not selected, is not extra.
  await Promise.all([old.client.set('new:9', 'x'), neu.client.set('new:9', 'x')]);
  for (const match of [['*'], ['old:*']]) {
    await run(app, { mode: 'sync', rename, select: { ...select, match }, deleteExtra: true, force: true });
    expect((await neu.client.keys('*')).sort()).toEqual(['list', 'new:1', 'new:3', 'new:9', 'old:5', 'other']);
  }
});

it('with types selected, does not delete what was converted from keys of other types', async () => {
  await old.client.hset('app:1', { absexp: '-1', sldexp: '-1', data: 'x' });
  const convert = [{ converter: 'distributed-cache', instanceName: 'app:', to: 'strings' }];
  await run(app, { mode: 'sync', convert });
  expect(await neu.client.get('app:1')).toBe('x');
  await run(app, { mode: 'sync', convert, select: { types: ['string'] }, deleteExtra: true, force: true });
  expect(await neu.client.get('app:1')).toBe('x');
});

it('does not delete for a source that is empty or has shrunk, unless forced', async () => {
  await neu.client.mset(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key:${i}`, 'x'])));
  const request = { mode: 'sync', databases: [0], deleteExtra: true };
  await expect(run(app, request)).rejects.toThrow(/source is empty/);
  await old.client.mset(Object.fromEntries(Array.from({ length: 79 }, (_, i) => [`key:${i}`, 'x'])));
  await expect(run(app, request)).rejects.toThrow(/over 20 % fewer/);
  expect(await neu.client.dbsize()).toBe(100);
  expect((await run(app, { ...request, force: true })).report.counts.deleted).toBe(21);
  expect(await neu.client.dbsize()).toBe(79);
});

it('carries the latest expiries that a server takes, in every mode and by commands too', async () => {
  const times = ['9007199254740991', '9007199254740992', '4611686018427387904', '9223372036854775807'];
  const careful = await makeTestApp({ ...app.env, KEYFERRY_BIG_KEY_MIB: '0.1' });
  for (const time of times) {
    await old.client.set(`small:${time}`, 'x');
    // By commands, since it is above the limit for big keys.
    await old.client.hset(
      `hash:${time}`,
      Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, 'x'.repeat(999)])),
    );
    for (const key of [`small:${time}`, `hash:${time}`]) {
      await old.client.call('PEXPIREAT', key, time).catch(() => undefined);
    }
  }
  const keys = await old.client.dbsize();
  expect(keys).toBe(2 * times.length);
  const copied = await run(careful, { verify: 'full' });
  careful.connections.close();
  expect(copied.report).toMatchObject({ state: 'completed', counts: { copied: keys }, findings: 0 });
  for (const key of await neu.client.keys('*')) expect(await neu.client.pttl(key)).toBeGreaterThan(8e15);
  expect((await run(app, { mode: 'compare' })).report).toMatchObject({ state: 'completed', counts: { same: keys } });
  for (const key of await neu.client.keys('*')) await neu.client.persist(key);
  expect((await run(app, { mode: 'sync' })).report).toMatchObject({ state: 'completed', counts: { copied: keys } });
  expect((await run(app, { mode: 'sync' })).report).toMatchObject({ state: 'completed', counts: { same: keys } });
});
