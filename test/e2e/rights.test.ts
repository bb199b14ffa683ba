import type { AppProcess } from '../tools/app-process';
import { fillOdd } from './support/fill-odd';
import { fill } from './support/fill';
import { compareServers, callsOf, Stage, type Side } from '../tools/stage';

const stage = new Stage();
let app: AppProcess;
let old: Side;
let neu: Side;
let keys: number;

/** What users may not do. */
const users = {
  ALL: [],
  NO_SCRIPTS: ['-@scripting'],
  NO_SIZES: ['-memory'],
  NO_SCRIPTS_NO_SIZES: ['-@scripting', '-memory'],
  NO_DUMP: ['-dump'],
  NO_RESTORE: ['-restore'],
  NO_EXPIRETIME: ['-pexpiretime'],
  NO_INFO: ['-info'],
} as const;

beforeAll(async () => {
  old = await stage.side('redis-7.0');
  neu = await stage.side('redis-7.0');
  await fillOdd(old);
  await fill(old, 2_000, { prefix: 'plain:' });
  keys = await old.client.dbsize();
  const settings: Record<string, string> = {};
  for (const [side, { client, server }] of Object.entries({ OLD: old, NEW: neu })) {
    for (const [name, rights] of Object.entries(users)) {
      await client.call('ACL', 'SETUSER', name, 'on', '>password', '~*', '&*', '+@all', ...rights);
      settings[`REDIS_${side}_${name}`] = `redis://${name}:password@127.0.0.1:${server.port}`;
    }
  }
  app = await stage.app(settings);
});

afterAll(() => stage.clear());

beforeEach(async () => {
  await neu.client.flushall();
  await Promise.all([old, neu].map(({ client }) => client.config('RESETSTAT')));
});

it.each([
  ['ALL', 'ALL'],
  ['NO_SCRIPTS', 'ALL'],
  ['ALL', 'NO_SCRIPTS'],
  ['NO_SCRIPTS', 'NO_SCRIPTS'],
  ['NO_SIZES', 'NO_SIZES'],
  ['NO_SCRIPTS_NO_SIZES', 'NO_SCRIPTS'],
  ['NO_DUMP', 'ALL'],
  ['ALL', 'NO_RESTORE'],
  ['NO_EXPIRETIME', 'ALL'],
] as const)('a source user with %s and a target user with %s give the same result', async (source, target) => {
  const report = await app.run({ source: `OLD_${source}`, target: `NEW_${target}` });
  expect(await app.findings(report.id)).toMatchObject({ findings: [] });
  expect(report).toMatchObject({ state: 'completed', counts: { copied: keys, failed: 0 }, tally: { missing: 0 } });
  expect(await compareServers(old, neu)).toEqual({ keys, differences: [] });
  if (source.startsWith('NO_SCRIPTS')) expect(await callsOf(old, 'evalsha')).toBe(0);
  if (target.startsWith('NO_SCRIPTS')) expect(await callsOf(neu, 'evalsha')).toBe(0);
});

it.each([
  ['OLD_NO_INFO', 'NEW_ALL'],
  ['OLD_ALL', 'NEW_NO_INFO'],
] as const)('without the right to INFO it is refused with that reason: %s to %s', async (source, target) => {
  const { status, body } = await app.refused({ source, target });
  expect(status).toBe(502);
  expect(body.error.message).toMatch(/NO_INFO.*may not run.*info/i);
});
