import { startTestServer, type TestServer } from '../tools/test-server';
import { fillServer } from '../../demo/generate';
import { buildCommand, CommandFolder } from './support/command';

const KEYS = 20_000;
let here: CommandFolder;
let source: TestServer;
let target: TestServer;

beforeAll(async () => {
  await buildCommand();
  [source, target] = await Promise.all([startTestServer('redis-7.0'), startTestServer('redis-7.0')]);
  await fillServer({ url: source.server.url, keys: KEYS });
});
afterAll(async () => {
  await Promise.all([source.close(), target.close()]);
});
beforeEach(async () => {
  here = new CommandFolder();
  await target.client.flushall();
});
afterEach(() => {
  here.remove();
});

it('a command is refused while another one writes to its target, however that is spelt, and may look on', async () => {
  const { url, port } = target.server;
  const first = here.start(['migrate', '--source', source.server.url, '--target', url, '--keys-per-second', '4000']);
  const id = await first.said(/Migration (\S+): /);
  const spelt = `redis://LOCALHOST:${port}`;
  const second = await here.run(['sync', '--source', source.server.url, '--target', spelt, '--delete-extra']);
  expect(second).toMatchObject({ code: 3 });
  expect(second.stderr).toContain(`Another command is writing to the target`);
  expect(second.stderr).toContain(`cancel ${id}`);
  expect((await here.run(['dry-run', '--source', source.server.url, '--target', spelt])).stderr).not.toContain(
    'Another',
  );
  expect(await first.end()).toMatchObject({ code: 0 });
  expect(await here.run(['sync', '--source', source.server.url, '--target', spelt])).toMatchObject({ code: 0 });
});

it('cancelling what was killed in the middle of a big key leaves no temporary key', async () => {
  const big = await startTestServer('redis-7.0');
  try {
    await big.client.eval(
      "for i = 1, 400000 do redis.call('RPUSH', 'big', 'element ' .. i .. string.rep('x', 60)) end",
      0,
    );
    const env = { KEYFERRY_BIG_KEY_MIB: '1' };
    const limit = ['--bytes-per-second', '4000000'];
    const run = here.start(['migrate', '--source', big.server.url, '--target', target.server.url, ...limit], env);
    const id = await run.said(/Migration (\S+): /);
    const temporary = async () => (await target.client.keys('keyferry:temporary:*')).length;
    for (const until = Date.now() + 60_000; (await temporary()) === 0;) {
      if (Date.now() > until) throw new Error('No temporary key comes.');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    run.signal('SIGINT');
    expect(await run.end()).toMatchObject({ code: 130 });
    const started = Date.now();
    const cancelled = await here.run(['cancel', id], env);
    expect(cancelled).toMatchObject({ code: 0 });
    expect(await temporary()).toBe(0);
    // What was being built came to its end before the command did, or is gone.
    expect([0, 400_000]).toContain(await target.client.llen('big'));
    expect(await target.client.pttl('big')).toBeLessThan(0);
    expect(Date.now() - started).toBeLessThan(60_000);
  } finally {
    await big.close();
  }
});
