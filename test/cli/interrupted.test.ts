import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { MigrationReport } from '../../src/migration/report';
import { fillServer } from '../../demo/generate';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder, type Running } from './support/command';

const KEYS = 12_000;
/** Keys a second: a command that ends in good order goes on for up to 5 s; one that is looked at must last; one that is killed need not. */
const RATE = { orderly: 1_200, lasting: 600, killed: 4_000 };

let here: CommandFolder;
let source: TestServer;
let target: TestServer;

beforeAll(async () => {
  await buildCommand();
  [source, target] = await Promise.all([
    startTestServer('redis-7.0', { password: 'pw' }),
    startTestServer('redis-7.0'),
  ]);
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

/** Starts a migration that takes a while, and waits until keys have arrived. */
async function begin(rate: number, ...more: string[]): Promise<{ run: Running; id: string }> {
  const run = here.start(
    ['migrate', '--source', 'OLD', '--target', target.server.url, '--keys-per-second', `${rate}`, ...more],
    { REDIS_OLD: source.server.url },
  );
  const id = await run.said(/Migration (\S+): /);
  while ((await target.client.dbsize()) < 300) await new Promise((resolve) => setTimeout(resolve, 20));
  return { run, id };
}

/** What is written down beside the one migration of the folder. */
function written(file: 'host.json' | 'run.json'): unknown {
  const runs = path.join(here.folder, '.keyferry', 'runs');
  const [run = ''] = readdirSync(runs);
  return JSON.parse(readFileSync(path.join(runs, run, file), 'utf8'));
}

/** The process in which the local app runs. */
const appProcess = (): number => (written('host.json') as { pid: number }).pid;

/** Waits until the command has heard how the migration stands. */
async function heard(): Promise<void> {
  while ((written('run.json') as { report: unknown }).report === null) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function finish(id: string): Promise<MigrationReport> {
  const { code, stdout, stderr } = await here.run(['resume', id, '--json'], { REDIS_OLD: source.server.url });
  expect(stderr).toMatch(/goes on: OLD/);
  expect(code).toBe(0);
  const report = JSON.parse(stdout) as MigrationReport;
  expect(report).toMatchObject({ id, state: 'completed', tally: { accountedKeys: KEYS, missing: 0 } });
  expect(await target.client.dbsize()).toBe(KEYS);
  return report;
}

test('Ctrl-C ends in good order and says how to go on; resume goes on to the verdict', async () => {
  const { run, id } = await begin(RATE.orderly);
  await heard();
  const asked = Date.now();
  run.signal('SIGINT');
  const { code, stderr } = await run.end();
  expect(code).toBe(130);
  expect(Date.now() - asked).toBeLessThan(20_000);
  expect(stderr).toContain(`keyferry resume ${id}`);
  expect(stderr).toContain(`keyferry cancel ${id}`);

  const status = await here.run(['status', id]);
  expect(status.code).toBe(0);
  expect(status.stderr).toMatch(/stands still/);
  const { migrations } = JSON.parse((await here.run(['list', '--json'])).stdout) as { migrations: object[] };
  expect(migrations).toContainEqual(expect.objectContaining({ id, state: 'running', standsStill: true }));
  expect((await here.run(['findings', id])).code).toBe(2);
  const copied = await target.client.dbsize();
  expect(copied).toBeLessThan(KEYS);
  await finish(id);
});

test('killed without a chance to write anything down, it goes on all the same', async () => {
  const { run, id } = await begin(RATE.killed);
  // Not the process that was started here, which only hands everything on.
  process.kill(appProcess(), 'SIGKILL');
  await run.end();
  expect(run.child.signalCode).toBe('SIGKILL');
  await finish(id);
});

test('killed, it leaves no password of its command line behind', async () => {
  const { run, id } = await begin(RATE.killed, '--source', source.server.url);
  process.kill(appProcess(), 'SIGKILL');
  await run.end();
  const files = readdirSync(path.join(here.folder, '.keyferry'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  expect(files.map((file) => path.basename(file))).toEqual(expect.arrayContaining(['host.json', 'host.lock']));
  const secret = encodeURIComponent(new URL(source.server.url).password);
  expect(files.filter((file) => readFileSync(file, 'latin1').includes(`:${secret}@`))).toEqual([]);
  const { code } = await here.run(['resume', id, '--source', source.server.url]);
  expect(code).toBe(0);
});

test('it ends in good order when the process that handed everything on is killed', async () => {
  const { run, id } = await begin(RATE.orderly);
  const pid = appProcess();
  run.signal('SIGKILL');
  await run.end();
  for (const until = Date.now() + 30_000; isAlive(pid); await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (Date.now() > until) throw new Error(`Process ${pid} still runs.`);
  }
  await finish(id);
});

test('a hangup ends nothing where no terminal is there to hang up, as under nohup', async () => {
  const { run, id } = await begin(RATE.lasting);
  run.signal('SIGHUP');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(run.child.exitCode).toBeNull();
  expect(JSON.parse((await here.run(['status', id, '--json'])).stdout)).toMatchObject({ id, state: 'running' });
  expect((await here.run(['cancel', id])).code).toBe(0);
  expect((await run.end()).code).toBe(3);
});

test('an interrupted migration is cancelled without its servers', async () => {
  const { run, id } = await begin(RATE.lasting);
  run.signal('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 600));
  // The second one does not wait for anything.
  run.signal('SIGTERM');
  const asked = Date.now();
  expect((await run.end()).code).toBe(143);
  // In good order, it would wait 5 s for what runs.
  expect(Date.now() - asked).toBeLessThan(4_500);
  const copied = await target.client.dbsize();
  const { code, stdout } = await here.run(['cancel', id, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ id, state: 'cancelled' });
  expect(code).toBe(0);
  expect(await target.client.dbsize()).toBe(copied);
  const resumed = await here.run(['resume', id]);
  expect(resumed.stderr).toMatch(/has ended already/);
  expect(resumed.code).toBe(3);
});

test('another process sees, follows and cancels a migration that runs', async () => {
  const { run, id } = await begin(RATE.lasting);
  const status = await here.run(['status', id, '--json']);
  expect(JSON.parse(status.stdout)).toMatchObject({ id, state: 'running' });
  const follower = here.start(['resume', id]);
  const cancelled = await here.run(['cancel', id]);
  expect(cancelled.code).toBe(0);
  expect(cancelled.stdout).toMatch(/was cancelled/);
  expect(await run.end()).toMatchObject({ code: 3, stdout: expect.stringMatching(/was cancelled/) as string });
  expect((await follower.end()).code).toBe(3);
});

test('an address with a password is asked for again, and must lead to the same server', async () => {
  const { run, id } = await begin(RATE.orderly, '--source', source.server.url);
  run.signal('SIGINT');
  expect((await run.end()).stderr).toContain(`keyferry resume ${id} --source <URL of CLI_SOURCE>`);
  const without = await here.run(['resume', id]);
  expect(without.code).toBe(2);
  expect(without.stderr).toMatch(/--source is needed again.*not written down/);
  const other = await here.run(['resume', id, '--source', target.server.url]);
  expect(other.code).toBe(2);
  expect(other.stderr).toMatch(/Start a new migration for another server/);
  const resumed = await here.run(['resume', id, '--source', 'AGAIN', '--json'], { REDIS_AGAIN: source.server.url });
  expect(JSON.parse(resumed.stdout)).toMatchObject({ id, state: 'completed', tally: { accountedKeys: KEYS } });
});
