import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { CLOSED_PORT } from '../../local/servers/free-port';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder, root, Running } from './support/command';

let here: CommandFolder;

beforeAll(async () => {
  await buildCommand();
  here = new CommandFolder();
});
afterAll(() => {
  here.remove();
});

const scheduled = {
  SCHEDULED_MIGRATION_YEARLY: JSON.stringify({
    when: { cron: '0 30 5 1 1 *', zone: 'Asia/Kolkata' },
    migration: { source: 'OLD', target: 'NEW' },
  }),
  SCHEDULED_MIGRATION_WRONG: '{}',
};

describe('on an app that runs elsewhere', () => {
  let app: Running;
  let url: string;
  let source: TestServer;
  let target: TestServer;

  beforeAll(async () => {
    [source, target] = await Promise.all([startTestServer('redis-7.0'), startTestServer('redis-7.0')]);
    await source.client.mset(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, `v${i}`])));
    const child = spawn(
      process.execPath,
      [path.join(root, 'dist/local/main.js'), '--port', '0', '--app', root, '--data', path.join(here.folder, 'app')],
      {
        cwd: here.folder,
        env: { ...process.env, REDIS_OLD: source.server.url, REDIS_NEW: target.server.url, ...scheduled },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    app = new Running(child);
    for (const until = Date.now() + 60_000; !app.stdout.includes('Listening on');) {
      if (Date.now() > until) throw new Error(app.stderr);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    url = /Listening on (\S+)/.exec(app.stdout)?.[1] ?? '';
  });
  afterAll(async () => {
    app.signal('SIGINT');
    await app.end();
    await Promise.all([source.close(), target.close()]);
  });

  test('all commands work there, without anything kept here', async () => {
    const at = ['--endpoint', `${url}/api/`, '--json'];
    const names = ['--source', 'OLD', '--target', 'NEW'];
    const done = await here.run(['migrate', ...names, ...at]);
    const report = JSON.parse(done.stdout) as { id: string };
    expect(report).toMatchObject({ state: 'completed', tally: { accountedKeys: 500 } });
    expect(done.code).toBe(0);
    const status = await here.run(['status', report.id, ...at]);
    expect(JSON.parse(status.stdout)).toEqual(report);
    expect(JSON.parse((await here.run(['list', ...at])).stdout)).toMatchObject({ migrations: [{ id: report.id }] });
    expect((await here.run(['findings', report.id, ...at])).stdout).toMatch(/"findings": \[\]/);
    const schedules = await here.run(['schedules', '--endpoint', url]);
    expect(schedules.stdout).toMatch(/YEARLY .*OLD .*NEW .*-01-01T05:30:00\+05:30 .*-01-01 00:00:00 .*–/);
    expect(schedules.stderr).toContain('SCHEDULED_MIGRATION_WRONG.when');
    expect(schedules.code).toBe(1);
    expect(JSON.parse((await here.run(['schedules', ...at])).stdout)).toMatchObject({
      schedules: [{ name: 'YEARLY' }],
    });

    const slow = await here.run(['migrate', ...names, '--keys-per-second', '20', '--no-wait', ...at]);
    expect(slow.code).toBe(0);
    const { id, state } = JSON.parse(slow.stdout) as { id: string; state: string };
    expect(state).toBe('running');
    const follower = here.start(['resume', id, '--endpoint', url]);
    const cancelled = await here.run(['cancel', id, ...at]);
    expect(JSON.parse(cancelled.stdout)).toMatchObject({ id, state: 'cancelled' });
    expect((await follower.end()).code).toBe(3);
  });

  test('a refused request is shown with all that is wrong with it', async () => {
    const { code, stdout, stderr } = await here.run(
      ['migrate', '--source', 'OLD', '--target', 'NEW', '--on-conflict', 'ask', '--types', 'blob'].concat(
        '--convert',
        'no-such-conversion',
        '--endpoint',
        url,
      ),
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/not valid/);
    expect(stderr).toMatch(/--on-conflict: /);
    expect(stderr).toMatch(/--types \(select\.types\.0\): /);
    expect(stderr).toMatch(/--convert/);
  });
});

describe('an app that answers as told', () => {
  let server: Server;
  let url: string;
  let asked: { method: string; url: string; key: string | undefined; body: string }[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const key = request.headers['x-functions-key'] as string | undefined;
        asked.push({ method: request.method ?? '', url: request.url ?? '', key, body });
        answer(request, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });
  beforeEach(() => {
    asked = [];
  });

  const report = (state: string) =>
    JSON.stringify({
      id: 'm1',
      state,
      mode: 'copy',
      source: { name: 'OLD', version: '4.0.14', keysAtStart: 1, keysNow: 1 },
      target: { name: 'NEW', version: '6.0.16', keysAtStart: 0, keysNow: 1 },
      progress: { percent: 50, keysPerSecond: 1, etaSeconds: 1, ranges: { total: 1, done: 0, active: 1, failed: 0 } },
      counts: { scanned: 1, repeats: 0, copied: 1, converted: 0, skippedByFilter: 0, skippedByConflict: 0 },
      tally: { sourceKeys: 1, accountedKeys: 1, targetKeys: 1, missing: null, verdict: null },
      warnings: ['The target is full: 10 of 10 bytes are used.'],
      findings: 0,
      startedAt: '2026-01-01T00:00:00.000Z',
      finishedAt: state === 'running' ? null : '2026-01-01T00:00:09.000Z',
      cause: state === 'failed' ? 'No more room.' : null,
    });

  test('the key goes as a header, from the option or the environment, and is never shown', async () => {
    answer = (_, response) => response.end(report('completed'));
    const key = 'f4ncti0n/k3y==';
    const one = await here.run(['status', 'm1', '--endpoint', url, '--key', key, '--verbose']);
    const two = await here.run(['status', 'm1', '--endpoint', url], { KEYFERRY_KEY: key });
    expect([one.code, two.code]).toEqual([0, 0]);
    expect(asked.map((request) => request.key)).toEqual([key, key]);
    expect(asked.map((request) => request.url)).toEqual(['/api/migrations/m1', '/api/migrations/m1']);
    for (const { stdout, stderr } of [one, two]) expect(stdout + stderr).not.toContain(key);
  });

  test('a key that is refused, and an address that is something else', async () => {
    answer = (_, response) => response.writeHead(401).end();
    const refused = await here.run(['list', '--endpoint', url]);
    expect(refused.stderr).toMatch(/asks for a function key: give it in KEYFERRY_KEY/);
    expect(refused.code).toBe(3);
    answer = (_, response) => response.end('<html>Welcome</html>');
    const other = await here.run(['list', '--endpoint', url]);
    expect(other.stderr).toMatch(/not as Keyferry does/);
    expect(other.code).toBe(3);
    answer = (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    expect((await here.run(['list', '--endpoint', url], { KEYFERRY_KEY: 'k' })).code).toBe(3);
    const nobody = await here.run(['list', '--endpoint', `http://127.0.0.1:${CLOSED_PORT}`]);
    expect(nobody.stderr).toMatch(/does not answer \(ECONNREFUSED\)/);
    expect(nobody.code).toBe(3);
  });

  test('answers that do not come are asked for again, a start with the same request id; warnings are shown once', async () => {
    answer = (request, response) => {
      const number = asked.length;
      if (number === 1 || number === 3) request.socket.destroy();
      else if (number === 4) response.writeHead(503).end();
      else if (number === 2) {
        response.writeHead(202).end(JSON.stringify({ id: 'm1', state: 'running', statusUrl: 'x' }));
      } else response.end(report(number < 7 ? 'running' : 'failed'));
    };
    const { code, stdout, stderr } = await here.run(
      ['migrate', '--source', 'OLD', '--target', 'NEW', '--endpoint', url].concat('--key', 'k'),
    );
    expect(code).toBe(3);
    expect(stdout).toMatch(/FAILED\. No more room\./);
    expect(stderr.match(/The target is full/g)).toHaveLength(1);
    expect(stderr).toMatch(/trying again/);
    const [first, second] = asked.map(({ body }) => body);
    expect(first).toBe(second);
    expect(JSON.parse(first ?? '')).toEqual({
      source: 'OLD',
      target: 'NEW',
      requestId: expect.any(String) as string,
    });
  });

  test('Ctrl-C leaves a deployed migration alone and says so', async () => {
    answer = (_, response) => response.end(report('running'));
    const run = here.start(['resume', 'm1', '--endpoint', url]);
    await run.said(/The target is full/);
    run.signal('SIGINT');
    const { code, stderr } = await run.end();
    expect(code).toBe(130);
    expect(stderr).toMatch(/goes on without this command/);
    expect(stderr).toContain(`keyferry cancel m1 --endpoint ${url}`);
  });
});
