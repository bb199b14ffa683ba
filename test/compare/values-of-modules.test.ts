import { commandWindows } from '../../src/compare/command-windows';
import { knownValue } from '../../src/compare/known-value';
import { scriptWindows } from '../../src/compare/script-windows';
import { valuePrints } from '../../src/compare/value-prints';
import { run } from '../tools/modes';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

/** Vector sets, which a module writes. Of one with a single element DUMP gives the same bytes after a copy; of others the order is another. */
const stage = new Stage();
let old: TestServer;
let neu: TestServer;
let app: TestApp;

beforeAll(async () => {
  [old, neu] = await Promise.all([stage.side('redis-8.0'), stage.side('redis-8.0')]);
  app = await stage.testApp({ OLD: old, NEW: neu });
});
afterEach(() => Promise.all([old.client.flushall(), neu.client.flushall()]));
afterAll(() => stage.clear());

const add = (side: TestServer, key: string, element: string, ...vector: readonly number[]) =>
  side.client.call('VADD', key, 'VALUES', String(vector.length), ...vector.map(String), element, 'NOQUANT');
const vectorOf = (side: TestServer, key: string, element: string) => side.client.call('VEMB', key, element);

/** An app whose user on both sides may not run some commands. */
async function appWithout(...commands: readonly string[]): Promise<TestApp> {
  const urls = await Promise.all(
    [old, neu].map(async ({ client, server }) => {
      const rules = ['reset', 'on', '>secret', '~*', '&*', '+@all', ...commands.map((command) => `-${command}`)];
      await client.call('ACL', 'SETUSER', 'limited', ...rules);
      return `redis://limited:secret@127.0.0.1:${server.port}`;
    }),
  );
  return await stage.testApp({}, { REDIS_OLD: urls[0]!, REDIS_NEW: urls[1]! });
}

it.each(['with scripts', 'without'])('that changed are copied again by a sync: %s', async (scripts) => {
  const by = scripts === 'without' ? await appWithout('eval', 'evalsha') : app;
  await add(old, 'single', 'a', 1, 2);
  for (const element of ['a', 'b', 'c']) await add(old, 'several', element, 3, 4);
  expect((await run(by, {})).report).toMatchObject({ state: 'completed', counts: { copied: 2 } });
  await add(old, 'single', 'a', 5, 6);
  await add(old, 'several', 'b', 7, 8);
  const { report } = await run(by, { mode: 'sync' });
  expect(report).toMatchObject({ state: 'completed', counts: { copied: 2, same: 0 }, findings: 0 });
  expect(await vectorOf(neu, 'single', 'a')).toEqual(await vectorOf(old, 'single', 'a'));
  expect(await vectorOf(neu, 'several', 'b')).toEqual(await vectorOf(old, 'several', 'b'));
  // What is equal for certain is not sent again.
  expect((await run(by, { mode: 'sync' })).report.counts.same).toBeGreaterThanOrEqual(1);
});

it.each(['with scripts', 'without'])('are the same only where they are known to be: %s', async (scripts) => {
  const by = scripts === 'without' ? await appWithout('eval', 'evalsha') : app;
  await old.client.set('text', 'x');
  await add(old, 'single', 'a', 1, 2);
  await add(old, 'changed', 'a', 1, 2);
  await run(by, {});
  await add(old, 'changed', 'a', 3, 4);
  const { report, findings, messages } = await run(by, { mode: 'compare' });
  expect(findings).toEqual(['not-compared changed']);
  expect(messages.join()).toMatch(/type vectorset .*whether its value differs is not known/);
  expect(report).toMatchObject({
    state: 'completedWithDifferences',
    counts: { same: 2, different: 0, uncompared: 1, extra: 0 },
  });
  expect(report.warnings.join()).toMatch(/Of 1 key it is not known whether the value is the same/);
});

it('are unknown where DUMP is not allowed, and copied again all the same', async () => {
  await add(old, 'single', 'a', 1, 2);
  await run(app, {});
  const onTarget = await appWithout('dump');
  const mixed = await stage.testApp({ OLD: old }, { REDIS_NEW: onTarget.env.REDIS_NEW! });
  const { report, findings, messages } = await run(mixed, { mode: 'compare' });
  expect(report.state).toBe('completedWithDifferences');
  expect(findings).toEqual(['not-compared single']);
  expect(messages.join()).toMatch(/a server does not give it/);
  await add(old, 'single', 'a', 3, 4);
  await run(mixed, { mode: 'sync' });
  expect(await vectorOf(neu, 'single', 'a')).toEqual(await vectorOf(old, 'single', 'a'));
});

it('have one print by script, by commands and of the payload', async () => {
  await add(old, 'single', 'a', 1, 2);
  for (let at = 0; at < 2_000; at++) await add(old, 'large', `element ${at}`, ...Array.from({ length: 600 }, () => at));
  const keys = ['single', 'large'].map((key) => Buffer.from(key));
  const port = await old.connect();
  const prints = await valuePrints(scriptWindows(port), keys);
  expect(await valuePrints(commandWindows({ port }), keys)).toEqual(prints);
  expect(knownValue(await old.client.dumpBuffer('single'), 0, Date.now).print()).toEqual(prints[0]);
  expect(prints.map(({ unknown }) => unknown)).toEqual([undefined, expect.stringMatching(/more than 4 MiB/)]);
});
