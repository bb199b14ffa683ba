import type { RedisConnection } from '../../../src/redis/connection';
import { startTestServer, type TestServer } from '../../tools/test-server';
import { convertAll, kinds, type Conversion } from './support/conversion';
import { Version4Session } from './support/version4';
import { readVersion5 } from './support/version5';

const SESSIONS = 80;

describe('into a server whose scripts may touch one slot only', () => {
  let source: TestServer;
  let target: TestServer;
  let from: RedisConnection;
  let to: RedisConnection;

  beforeAll(async () => {
    [source, target] = await Promise.all([
      startTestServer('redis-6.0'),
      startTestServer('redis-7.0', { args: ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'] }),
    ]);
    await target.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    while (!String(await target.client.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    [from, to] = await Promise.all([source.connect(), target.connect()]);
    for (let i = 0; i < SESSIONS; i++)
      await new Version4Session(source.client, `/Shop_${i}`).set({ a: String(i) }, 600);
  });
  afterEach(async () => {
    await target.client.flushall();
  });
  afterAll(async () => {
    await Promise.all([source.close(), target.close()]);
  });

  const convert = (conversion: Conversion) => convertAll(from, to, conversion);

  it.each([1, 32])('sessions are converted all the same, told to come %i at once', async (targetAtOnce) => {
    expect(kinds(await convert({ servers: { targetAtOnce } }))).toEqual({ converted: SESSIONS });
    expect(await target.client.dbsize()).toBe(2 * SESSIONS);
    for (const i of [0, SESSIONS - 1]) {
      expect(await readVersion5(target.client, `/Shop_${i}`)).toMatchObject({
        items: { a: String(i) },
        timeout: '600',
      });
    }
  });

  it('each session whose new names lie in two slots is reported by itself', async () => {
    const naming = (key: Buffer): Buffer =>
      key.includes('{/Shop_7}') ? Buffer.from(key.toString().replace(/[{}]/g, '')) : key;
    const done = await convert({ naming });
    expect(kinds(done)).toEqual({ converted: SESSIONS - 1, 'session-refused': 1 });
    expect(done.outcomes.find(({ kind }) => kind === 'failed')).toMatchObject({
      key: Buffer.from('{/Shop_7}_Data'),
      message: expect.stringMatching(/"CROSSSLOT /) as string,
    });
    expect(await target.client.dbsize()).toBe(2 * (SESSIONS - 1));
  });
});
