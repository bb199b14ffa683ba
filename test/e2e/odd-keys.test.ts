import type { AppProcess } from '../tools/app-process';
import { fillFieldExpiries, fillOdd } from './support/fill-odd';
import { compareServers, digest, Stage, type Side } from '../tools/stage';

const stage = new Stage();
let app: AppProcess;
let sides: Record<'OLD6' | 'OLD8' | 'NEW6' | 'NEW8' | 'SAME8' | 'OLDER6' | 'SMALL8', Side>;
let count: { OLD6: number; OLD8: number };

beforeAll(async () => {
  sides = {
    OLD6: await stage.side('redis-6.0'),
    OLD8: await stage.side('redis-8.0'),
    NEW6: await stage.side('redis-6.0'),
    NEW8: await stage.side('redis-8.0'),
    SAME8: await stage.side('redis-8.0'),
    OLDER6: await stage.side('redis-6.0'),
    SMALL8: await stage.side('redis-8.0'),
  };
  count = { OLD6: await fillOdd(sides.OLD6), OLD8: await fillOdd(sides.OLD8) };
  await sides.OLD8.client.call('ACL', 'SETUSER', 'undumped', 'on', '>secret', '~*', '+@all', '-dump');
  const { port } = sides.OLD8.server;
  app = await stage.app({
    ...stage.connections(sides),
    REDIS_UNDUMPED8: `redis://undumped:secret@127.0.0.1:${port}`,
  });
});

afterAll(() => stage.clear());

const arrived = (keys: number) => ({ keys, differences: [] });

it.each(['NEW6', 'NEW8'] as const)('keys of every kind arrive as they were, from 6.0 to %s', async (target) => {
  const report = await app.run({ source: 'OLD6', target });
  expect(report).toMatchObject({ state: 'completed', findings: 0, counts: { copied: count.OLD6, failed: 0 } });
  expect(await compareServers(sides.OLD6, sides[target])).toEqual(arrived(count.OLD6));
  if (target === 'NEW6') expect(await digest(sides[target])).toBe(await digest(sides.OLD6));
});

// Before 7.0 a stream does not know how many entries it ever had: told, where it cannot be guessed from what is there.
const pastsLost = ['stream:emptied lost-stream-facts', 'stream:holes lost-stream-facts'];

it('keys of every kind arrive as they were, where the target is older', async () => {
  const report = await app.run({ source: 'OLD8', target: 'OLDER6', verify: 'full' });
  expect(report).toMatchObject({ findings: 2, counts: { copied: count.OLD8, failed: 0 } });
  expect(report.warnings).toEqual([expect.stringMatching(/lacks modules of the source \(vectorset\)/)]);
  const { findings } = await app.findings(report.id);
  expect(findings.map(({ key, code }) => `${key} ${code}`).sort()).toEqual(pastsLost);
  expect(await compareServers(sides.OLD8, sides.OLDER6)).toEqual(arrived(count.OLD8));
});

it('keys of every kind arrive as they were by commands, where the target is older and DUMP is refused', async () => {
  await sides.OLDER6.client.flushall();
  const report = await app.run({ source: 'UNDUMPED8', target: 'OLDER6' });
  expect(report).toMatchObject({ findings: 2, counts: { copied: count.OLD8, failed: 0 }, tally: { missing: 0 } });
  const { findings } = await app.findings(report.id);
  expect(findings.map(({ key, code }) => `${key} ${code}`).sort()).toEqual(pastsLost);
  const { keys, differences } = await compareServers(sides.OLD8, sides.OLDER6);
  expect(keys).toBe(count.OLD8);
  // A consumer that has never read anything cannot be made before 6.2.
  expect(differences.filter((line) => !line.includes('stream:groups'))).toEqual([]);
  expect(await sides.OLDER6.client.keys('*keyferry*')).toEqual([]);
});

it('expiries of hash fields arrive, exact to the millisecond', async () => {
  await fillFieldExpiries(sides.OLD8);
  const keys = count.OLD8 + 3;
  const report = await app.run({ source: 'OLD8', target: 'SAME8' });
  expect(report).toMatchObject({ state: 'completed', findings: 0, counts: { copied: keys, failed: 0 } });
  expect(await compareServers(sides.OLD8, sides.SAME8)).toEqual(arrived(keys));
  expect(await digest(sides.SAME8)).toBe(await digest(sides.OLD8));
});

it('tells of hash fields that lose their expiry on an older target', async () => {
  const report = await app.run({ source: 'OLD8', target: 'OLDER6', select: { match: ['fields:*'] } });
  expect(report).toMatchObject({ state: 'completedWithDifferences', findings: 3, counts: { copied: 3, failed: 0 } });
  const { findings } = await app.findings(report.id);
  expect(findings.map(({ key }) => key).sort()).toEqual(['fields:and-key', 'fields:large', 'fields:small']);
});

it('keys above the big-key limit arrive in chunks, as they were', async () => {
  const chunked = await stage.app({ ...stage.connections(sides), KEYFERRY_BIG_KEY_MIB: '0.02' });
  const report = await chunked.run({ source: 'OLD8', target: 'SMALL8' });
  expect(await chunked.findings(report.id)).toMatchObject({ findings: [] });
  expect(report).toMatchObject({ state: 'completed', findings: 0, counts: { copied: count.OLD8 + 3, failed: 0 } });
  expect(await compareServers(sides.OLD8, sides.SMALL8)).toEqual(arrived(count.OLD8 + 3));
});
