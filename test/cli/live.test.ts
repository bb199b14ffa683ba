import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { until } from '../tools/app-process';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder, type Running } from './support/command';

let here: CommandFolder;
let old: TestServer;
let neu: TestServer;

beforeAll(async () => {
  await buildCommand();
  [old, neu] = await Promise.all([startTestServer('redis-7.0'), startTestServer('redis-7.0')]);
});
afterAll(async () => {
  await Promise.all([old.close(), neu.close()]);
});
beforeEach(async () => {
  here = new CommandFolder();
  await Promise.all([old.client.flushall(), neu.client.flushall()]);
  await old.client.set('key', 'value');
});
afterEach(() => {
  here.remove();
});

async function live(): Promise<{ run: Running; id: string }> {
  const run = here.start(['live', '--source', old.server.url, '--target', neu.server.url]);
  return { run, id: await run.said(/Migration (\S+): /) };
}

/** Whether how the way back stands is written down. */
function seenWayBack(id: string): boolean {
  const runs = path.join(here.folder, '.keyferry', 'runs');
  return readdirSync(runs).some((run) => {
    const { waysBack = [] } = JSON.parse(readFileSync(path.join(runs, run, 'run.json'), 'utf8')) as {
      waysBack?: { id: string; report: unknown }[];
    };
    return waysBack.some((way) => way.id === id && way.report !== null);
  });
}

/** Asks for the cut-over as soon as that is not refused any more. */
async function cutOver(id: string, ...options: string[]): Promise<Running> {
  for (;;) {
    const run = here.start(['cutover', id, ...options]);
    await run.said(/Stop the writers|\S/);
    if (run.stderr.includes('Stop the writers')) return run;
    expect(await run.end()).toMatchObject({ code: 3 });
  }
}

it('the way back goes on in the command, keeps others from its target, and is resumed by the id of what it leads back from', async () => {
  const { run, id } = await live();
  expect(await (await cutOver(id, '--reverse')).end()).toMatchObject({ code: 0 });
  const back = await run.said(/The way back: migration (\S+) has/);
  await run.said(/It goes on in this command/);
  await neu.client.set('key', 'written to the new side');
  await until(async () => (await old.client.get('key')) === 'written to the new side');
  const third = await startTestServer('redis-7.0');
  try {
    const to = (server: TestServer) =>
      here.run(['migrate', '--source', third.server.url, '--target', server.server.url]);
    const refused = await to(old);
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toContain('Another command is writing to the target');
    expect(refused.stderr).toContain(`cancel ${back}`);
    expect(await to(neu)).toMatchObject({ code: 0 });
  } finally {
    await third.close();
  }
  run.signal('SIGINT');
  expect(await run.end()).toMatchObject({ code: 130 });
  await neu.client.set('other', 'while nobody follows');
  const resumed = here.start(['resume', id]);
  await until(async () => (await old.client.get('other')) === 'while nobody follows');
  expect(await (await cutOver(back)).end()).toMatchObject({ code: 0 });
  expect(await resumed.end()).toMatchObject({ code: 0 });
  expect(await old.client.call('DEBUG', 'DIGEST')).toBe(await neu.client.call('DEBUG', 'DIGEST'));
  const again = await here.run(['resume', back]);
  expect(again).toMatchObject({ code: 0 });
});

it('a way back that stands still is told as itself, in its own direction, and can be cancelled', async () => {
  const { run, id } = await live();
  expect(await (await cutOver(id, '--reverse')).end()).toMatchObject({ code: 0 });
  const back = await run.said(/The way back: migration (\S+) has/);
  await run.said(/It goes on in this command/);
  await neu.client.set('key', 'written to the new side');
  await until(async () => (await old.client.get('key')) === 'written to the new side');
  await until(() => seenWayBack(back));
  run.signal('SIGINT');
  expect(await run.end()).toMatchObject({ code: 130 });

  const [status, forward, list, findings] = await Promise.all([
    here.run(['status', back]),
    here.run(['status', id]),
    here.run(['list', '--json']),
    here.run(['findings', back]),
  ]);
  expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining(`Migration ${back} is running`) as string });
  expect(status.stdout).toMatch(new RegExp(`:${neu.server.port}\\).*:${old.server.port}\\)`));
  expect(status.stderr).toContain('It stands still');
  expect(forward.stdout).toContain(`Migration ${id} is complete`);
  expect(forward.stderr).toContain(`Its way back, migration ${back}, stands still`);
  const { migrations } = JSON.parse(list.stdout) as { migrations: { id: string; state: string; source: string }[] };
  expect(migrations).toMatchObject([
    { id: back, state: 'running', source: expect.stringContaining(`:${neu.server.port}`) as string },
    { id, state: 'completed', source: expect.stringContaining(`:${old.server.port}`) as string },
  ]);
  expect(findings).toMatchObject({ code: 2, stdout: '' });
  expect(await here.run(['findings', id])).toMatchObject({ code: 2, stdout: '' });

  const cancelled = await here.run(['cancel', back]);
  expect([cancelled.code, cancelled.stdout]).toEqual([0, expect.stringContaining(`Migration ${back} was cancelled`)]);
  await neu.client.set('key', 'after the end');
  for (const which of [back, id]) expect((await here.run(['resume', which])).stderr).toContain('has ended already');
  expect(await here.run(['status', back])).toMatchObject({ code: 3 });
  expect(await old.client.get('key')).toBe('written to the new side');
});

it('a way back that is refused is told by the exit code of both commands', async () => {
  const { run, id } = await live();
  const asked = await cutOver(id, '--reverse');
  // Of this database nothing was proved.
  await neu.client.select(5);
  await neu.client.set('key', 'of another database');
  await neu.client.select(0);
  for (const each of [asked, run]) {
    const { code, stderr } = await each.end();
    expect(stderr).toMatch(/The way back did not begin: Database 5 has keys/);
    expect(code).toBe(3);
  }
  expect(await neu.client.get('key')).toBe('value');
});
