import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CLOSED_PORT } from '../../local/servers/free-port';
import { startTestServer, type TestServer } from '../tools/test-server';
import { type LocalApp, startLocalApp } from './support/local-app';
import { runScript } from './support/script';

describe('on the app itself', () => {
  let source: TestServer;
  let target: TestServer;
  let app: LocalApp;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'keyferry-script-'));
    [source, target] = await Promise.all([startTestServer('redis-8.0'), startTestServer('redis-6.0')]);
    app = await startLocalApp({
      REDIS_OLD: source.server.url,
      REDIS_NEW: target.server.url,
      REDIS_AWAY: `redis://127.0.0.1:${CLOSED_PORT}`,
    });
  });
  afterAll(async () => {
    await app.close();
    await Promise.all([source.close(), target.close()]);
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    await source.client.flushall();
    await target.client.flushall();
    await source.client.mset(Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`key:${i}`, `value ${i}`])));
  });

  test('it copies everything, tells of it, keeps the report, and succeeds', async () => {
    const output = path.join(folder, 'report.json');
    const ended = await runScript(['--url', app.url, '--source', 'OLD', '--target', 'NEW', '--output', output]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/^Migration \S+ is under way\.$/m);
    expect(ended.stdout).toMatch(/^\d\d:\d\d:\d\d completed: 100 % of 3000 keys/m);
    expect(ended.stdout).toContain('source keys 3000, accounted for 3000, target keys 3000');
    expect(await target.client.dbsize()).toBe(3_000);
    expect(JSON.parse(readFileSync(output, 'utf8'))).toMatchObject({ state: 'completed', findings: 0 });
  });

  test('it fails with 1 and shows the first findings where a key cannot be copied as asked', async () => {
    // Expiries of hash fields are more than Redis 6.0 knows.
    for (const name of ['a', 'b', 'c']) {
      await source.client.hset(`hash:${name}`, { f: 'v', g: 'w' });
      await source.client.call('HPEXPIRE', `hash:${name}`, '600000', 'FIELDS', '1', 'f');
    }
    const request = path.join(folder, 'request.json');
    writeFileSync(request, JSON.stringify({ source: 'OLD', target: 'NEW', select: { match: ['hash:*'] } }));
    const ended = await runScript(['--url', `${app.url}/api/`, '--request', request, '--findings', '2']);
    expect(ended.code).toBe(1);
    expect(ended.stdout.match(/^ {2}database 0, key "hash:[abc]": \S+: /gm)).toHaveLength(2);
    expect(ended.stderr).toBe('Finished with differences.\n');
  });

  test('it fails with 3 when a Redis cannot be reached, and asks but once', async () => {
    const before = Date.now();
    const ended = await runScript(['--url', app.url, '--source', 'AWAY', '--target', 'NEW']);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toMatch(/^The migration was not started: redisUnreachable: .*AWAY/);
    expect(ended.stderr).not.toContain('again in');
    expect(Date.now() - before).toBeLessThan(60_000);
  });

  test('it fails with 3 when the target must be empty and is not', async () => {
    await target.client.set('there', 'already');
    const request = path.join(folder, 'request.json');
    writeFileSync(request, JSON.stringify({ source: 'OLD', target: 'NEW', onConflict: 'fail' }));
    const ended = await runScript(['--url', app.url, '--request', request]);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('The migration was not started:');
  });

  test('it fails with 2 on a request that is wrong, with every mistake', async () => {
    const request = path.join(folder, 'request.json');
    writeFileSync(request, JSON.stringify({ source: 'OLD', target: 'NEW', verify: 'maybe', nonsense: 1 }));
    const ended = await runScript(['--url', app.url, '--request', request]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('  verify: ');
    expect(ended.stderr).toContain('nonsense');
  });

  test('it waits for the same migration when it is called twice with one request id', async () => {
    const call = ['--url', app.url, '--source', 'OLD', '--target', 'NEW', '--request-id', 'release-7'];
    const [first, second] = await Promise.all([runScript(call), runScript(call)]);
    expect([first.code, second.code]).toEqual([0, 0]);
    const id = /^Migration (\S+) /m;
    expect(id.exec(first.stdout)?.[1]).toBe(id.exec(second.stdout)?.[1]);
  });
});

test('it fails with 3 when nobody answers, after it has asked again', async () => {
  const url = `http://127.0.0.1:${CLOSED_PORT}`;
  const ended = await runScript(['--url', url, '--source', 'OLD', '--target', 'NEW', '--retries', '1']);
  expect(ended.code).toBe(3);
  expect(ended.stdout).toBe('');
  expect(ended.stderr).toMatch(/^no useful answer \(000\), again in 2 s: curl: /);
  expect(ended.stderr).toMatch(/^The migration was not started: curl: /m);
});
