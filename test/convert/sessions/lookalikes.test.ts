import type { RedisConnection } from '../../../src/redis/connection';
import { startTestServer, type TestServer } from '../../tools/test-server';
import { convertAll, kinds, type Conversion } from './support/conversion';
import { streamOf, ticksNow, Version4Session } from './support/version4';
import { readVersion5 } from './support/version5';

let source: TestServer;
let target: TestServer;
let from: RedisConnection;
let to: RedisConnection;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestServer('redis-7.0'), startTestServer('redis-8.0')]);
  [from, to] = await Promise.all([source.connect(), target.connect()]);
});
afterEach(async () => {
  await Promise.all([source.client.flushall(), target.client.flushall()]);
});
afterAll(async () => {
  await Promise.all([source.close(), target.close()]);
});

const convert = (options: Conversion['options'] = {}) => convertAll(from, to, { options });
/** Sets keys on the source by commands and says what becomes of them. */
async function fate(commands: readonly (readonly [string, ...(string | Buffer)[]])[], options?: Conversion['options']) {
  for (const [name, ...args] of commands) await source.client.call(name, ...args);
  const done = await convert(options);
  return { ...done, kinds: kinds(done), keys: await target.client.dbsize() };
}

describe('keys that are called like a session’s and are none', () => {
  const stream = streamOf('x');

  it.each<[string, readonly (readonly [string, ...(string | Buffer)[]])[]]>([
    ['a string as data', [['SET', '{a_b}_Data', 'x']]],
    ['a hash of other values without internal hash', [['HSET', '{a_b}_Data', 'f', 'x']]],
    ['an internal hash with more fields', [['HSET', '{a_b}_Internal', 'SessionTimeout', '1', 'more', '2']]],
    ['an internal hash without a timeout', [['HSET', '{a_b}_Internal', 'other', '2']]],
    ['an internal hash with another timeout', [['HSET', '{a_b}_Internal', 'SessionTimeout', 'soon']]],
    ['a list as internal hash', [['RPUSH', '{a_b}_Internal', 'x']]],
    ['a lock that is no time', [['SET', '{a_b}_Write_Lock', '1']]],
    ['a lock that is text', [['SET', '{a_b}_Write_Lock', 'abcdefghijklmnopqr']]],
    ['a hash as lock', [['HSET', '{a_b}_Write_Lock', 'f', 'x']]],
    ['a name without anything before the underscore', [['HSET', '{_b}_Data', 'f', stream]]],
  ])('%s is copied as it is', async (_, commands) => {
    const done = await fate(commands);
    const claimed = commands.filter(([, key]) => !String(key).startsWith('{_')).map(([, key]) => String(key));
    expect(done).toMatchObject({ plain: claimed, outcomes: [], members: 0, skipped: 0, keys: 0 });
  });

  it('the parts of somebody else’s family stay together', async () => {
    const commands = [
      ['HSET', '{a_b}_Data', 'f', 'x'],
      ['HSET', '{a_b}_Internal', 'f', 'x'],
      ['SET', '{a_b}_Write_Lock', ticksNow()],
    ] as const;
    const done = await fate(commands);
    expect([...done.plain].sort()).toEqual(commands.map(([, key]) => key).sort());
    expect(done).toMatchObject({ outcomes: [], skipped: 0 });
  });

  it('a hash with many fields and no internal hash is looked into before it is taken for a session', async () => {
    const fields = Array.from({ length: 50_001 }, (_, i) => [`f${i}`, 'x']).flat();
    await source.client.hset('{a_b}_Data', fields);
    expect(await convert()).toMatchObject({ plain: ['{a_b}_Data'], outcomes: [] });
    const values = Array.from({ length: 50_001 }, (_, i) => [`f${i}`, stream]).flat();
    await source.client.hset('{a_b}_Data', values);
    expect(await convert()).toMatchObject({ plain: [], outcomes: [{ kind: 'failed', code: 'session-limit' }] });
  });

  it('names without braces are none of a session’s, unless that is said', async () => {
    await new Version4Session(source.client, '/_one', false).set({ a: 'x' }, 60);
    expect(await convert()).toMatchObject({ outcomes: [], plain: [], members: 0 });
    expect(kinds(await convert({ braceless: true }))).toEqual({ converted: 1 });
    expect(await readVersion5(target.client, '/_one')).toMatchObject({ items: { a: 'x' }, timeout: '60' });
  });
});

describe('what is left over of sessions', () => {
  it('an internal hash or a lock without data is not carried over', async () => {
    const done = await fate([
      ['HSET', '{a_b}_Internal', 'SessionTimeout', '1200'],
      ['SET', '{c_d}_Write_Lock', ticksNow()],
    ]);
    expect(done).toMatchObject({ plain: [], outcomes: [], members: 0, skipped: 2, keys: 0 });
  });

  it('data without internal hash is a session all the same', async () => {
    const done = await fate([['HSET', '{a_b}_Data', 'f', streamOf('x')]]);
    expect(done).toMatchObject({ kinds: { converted: 1 }, keys: 1 });
  });
});

describe('a session', () => {
  it('of another application is copied as it is', async () => {
    await new Version4Session(source.client, '/Shop_1').set({ a: 'x' }, 60);
    await new Version4Session(source.client, '/Other_1').set({ a: 'x' }, 60);
    const done = await fate([], { applications: ['/Shop'] });
    expect(done).toMatchObject({ kinds: { converted: 1 }, members: 1, plain: [], keys: 2 });
  });

  it('with a timeout that is no number is reported', async () => {
    const one = new Version4Session(source.client, '/Shop_1');
    await one.set({ a: 'x' }, 60);
    await source.client.hset(one.internal, 'SessionTimeout', '20 minutes');
    expect((await convert()).outcomes).toMatchObject([{ kind: 'failed', code: 'session-bad-timeout' }]);
  });

  it('with names that .NET takes for the same has the first name and the last value', async () => {
    await new Version4Session(source.client, '/Shop_1').set({ cart: 'one', Cart: 'two', other: 'x' }, 60);
    expect(kinds(await convert())).toEqual({ converted: 1 });
    expect(await readVersion5(target.client, '/Shop_1')).toMatchObject({ items: { cart: 'two', other: 'x' } });
  });

  it('locked the whole time is reported', async () => {
    const one = new Version4Session(source.client, '/Shop_1');
    await one.set({ a: 'x' }, 60);
    await one.takeLock(ticksNow());
    expect((await convert()).outcomes).toEqual([
      expect.objectContaining({ kind: 'failed', code: 'session-locked', key: Buffer.from(one.data) }),
    ]);
    expect(await readVersion5(target.client, '/Shop_1')).toBeUndefined();
  });
});
