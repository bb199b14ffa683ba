import type { RedisConnection } from '../../../src/redis/connection';
import { startTestServer, type TestServer } from '../../tools/test-server';
import { convertAll, kinds } from './support/conversion';
import { streamOf, Version4Session } from './support/version4';
import { readVersion5 } from './support/version5';

const HEADER = Buffer.from('0001000000ffffffff0100000000000000', 'hex');
/** A stream of these records, in hex. */
const stream = (records: string) =>
  Buffer.concat([HEADER, Buffer.from(records.replaceAll(' ', ''), 'hex'), Buffer.of(0x0b)]);

type Fields = readonly (string | Buffer)[];

const hostile: Readonly<Record<string, readonly [code: string, fields: Fields, timeout?: string]>> = {
  'an array of two thousand million nulls': ['limit', ['x', stream('10 01000000 ffffff7f 0e ffffff7f')]],
  'an array of two thousand million bytes': ['damaged-value', ['x', stream('0f 01000000 ffffff7f 02')]],
  'a box of 65,535³': ['damaged-value', ['x', stream('07 01000000 02 03000000 ffff0000 ffff0000 ffff0000 02')]],
  'an array of less than nothing': ['damaged-value', ['x', stream('0f 01000000 ffffffff 02')]],
  'a class of two thousand million members': ['damaged-value', ['x', stream('04 01000000 0178 ffffff7f')]],
  'arrays in arrays without end': ['damaged-value', ['x', Buffer.concat([HEADER, Buffer.alloc(4_000_000, 0x10)])]],
  'nothing behind the header': ['damaged-value', ['x', stream('')]],
  'a name that writes on the terminal': ['not-binary-formatter', ['\u001b[2J\u202e', '<xml/>']],
  'a name that is no text': ['bad-name', [Buffer.of(0xff, 0xfe), streamOf('x')]],
  'a name of two million letters': ['limit', [`${'n'.repeat(2_000_000)}é`, streamOf('x')]],
  'a process to be started': ['not-binary-formatter', ['x', '{"$type":"System.Diagnostics.Process, System"}']],
  'a timeout of 0': ['bad-timeout', ['x', streamOf('x')], '0'],
  'a timeout of 1e3': ['bad-timeout', ['x', streamOf('x')], '1e3'],
  'a timeout beyond all numbers': ['bad-timeout', ['x', streamOf('x')], '99999999999999999999'],
};

describe('sessions that mean harm', () => {
  let source: TestServer;
  let target: TestServer;
  let from: RedisConnection;
  let to: RedisConnection;

  beforeAll(async () => {
    [source, target] = await Promise.all([startTestServer('redis-6.0'), startTestServer('redis-8.0')]);
    [from, to] = await Promise.all([source.connect(), target.connect()]);
  });
  afterAll(async () => {
    await Promise.all([source.close(), target.close()]);
  });

  it('are refused one by one, with words that can be printed, and cost no other session', async () => {
    for (let i = 0; i < 50; i++) await new Version4Session(source.client, `/Shop_${i}`).set({ a: String(i) }, 600);
    const codes: Record<string, string> = {};
    for (const [name, [code, fields, timeout]] of Object.entries(hostile)) {
      const key = `{/Shop_${name}}`;
      await source.client.hset(`${key}_Data`, ...fields);
      await source.client.hset(`${key}_Internal`, 'SessionTimeout', timeout ?? '600');
      codes[`${key}_Data`] = `session-${code}`;
    }
    const done = await convertAll(from, to);
    expect(kinds(done).converted).toBe(50);
    const failures = done.outcomes.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome] : []));
    expect(Object.fromEntries(failures.map(({ key, code }) => [key.toString(), code]))).toEqual(codes);
    for (const { message } of failures) {
      expect(message).not.toMatch(/\p{C}/u);
      expect(message.length).toBeLessThan(400);
    }
    expect(await target.client.dbsize()).toBe(100);
    for (const i of [0, 49])
      expect(await readVersion5(target.client, `/Shop_${i}`)).toMatchObject({ items: { a: String(i) } });
  });
});
