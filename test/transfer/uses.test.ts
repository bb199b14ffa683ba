import type { Redis } from 'ioredis';
import { useCarried } from '../../src/migration/use-kind';
import { run } from '../tools/modes';
import { Stage, type Side } from '../tools/stage';

const stage = new Stage();
afterAll(() => stage.clear());

const numbersOf = async (client: Redis, kind: 'FREQ' | 'IDLETIME', keys: readonly string[]) =>
  await Promise.all(keys.map(async (key) => Number(await client.call('OBJECT', kind, key))));

const withPolicy = async (side: Side, policy: string) => {
  await side.client.config('SET', 'maxmemory-policy', policy);
  await side.client.config('SET', 'lfu-log-factor', '0');
  // Otherwise one less with each minute that begins.
  await side.client.config('SET', 'lfu-decay-time', '0');
};

describe.each(['redis-6.0', 'redis-7.0', 'redis-8.0', 'valkey-8.1'] as const)('from and to %s', (name) => {
  let old: Side;
  let neu: Side;
  const keys = ['hot', 'cold', 'idle'];
  /** From 7.2 nothing that is read counts as used. */
  const isQuiet = name === 'redis-8.0' || name === 'valkey-8.1';
  beforeAll(async () => {
    [old, neu] = await Promise.all([stage.side(name), stage.side(name)]);
  });
  afterEach(async () => {
    await Promise.all([old.client.flushall(), neu.client.flushall()]);
  });

  it('frequencies stay what they are', async () => {
    await Promise.all([withPolicy(old, 'allkeys-lfu'), withPolicy(neu, 'volatile-lfu')]);
    for (const key of keys) await old.client.set(key, 'x');
    for (let i = 0; i < 60; i++) await old.client.get('hot');
    await old.client.pexpire('hot', 3_600_000);
    const before = await numbersOf(old.client, 'FREQ', keys);
    expect(before[0]).toBeGreaterThan(50);
    const app = await stage.testApp({ OLD: old, NEW: neu });
    expect((await run(app, {})).report.state).toBe('completed');
    const copied = await numbersOf(neu.client, 'FREQ', keys);
    // Before 7.2 what the plan tried on one key counts.
    if (isQuiet) expect(copied).toEqual(before);
    else expect(copied.filter((use, i) => Math.abs(use - before[i]!) <= 1)).toHaveLength(keys.length);
    if (isQuiet) expect(await numbersOf(old.client, 'FREQ', keys)).toEqual(before);
  });

  it('idle times stay what they are, also where the target evicts nothing yet, and a dry run leaves them', async () => {
    await Promise.all([withPolicy(old, 'allkeys-lru'), withPolicy(neu, 'noeviction')]);
    const payload = await (async () => {
      await old.client.set('a', 'x');
      return await old.client.dumpBuffer('a');
    })();
    await old.client.del('a');
    for (const [i, key] of keys.entries()) await old.client.restore(key, 0, payload, 'IDLETIME', 1_000 * (i + 1));
    const before = await numbersOf(old.client, 'IDLETIME', keys);
    const app = await stage.testApp({ OLD: old, NEW: neu });
    if (isQuiet) await run(app, { mode: 'dry-run' });
    expect((await run(app, isQuiet ? { verify: 'full' } : {})).report.state).toBe('completed');
    const copied = await numbersOf(neu.client, 'IDLETIME', keys);
    const kept = copied.filter((idle, i) => Math.abs(idle - before[i]!) < 60);
    expect(kept.length).toBeGreaterThanOrEqual(isQuiet ? keys.length : keys.length - 1);
    const after = await numbersOf(old.client, 'IDLETIME', keys);
    if (isQuiet) expect(after.filter((idle, i) => idle >= before[i]!)).toHaveLength(keys.length);
  });
});

it.each([
  ['allkeys-lfu', 'volatile-lfu', true, 'FREQ'],
  ['allkeys-lfu', 'allkeys-lru', true, undefined],
  ['volatile-lru', 'noeviction', true, 'IDLETIME'],
  ['volatile-lru', 'allkeys-lfu', true, undefined],
  ['noeviction', 'allkeys-lru', true, undefined],
  ['allkeys-random', 'allkeys-lru', true, undefined],
  ['allkeys-lru', 'unknown', true, undefined],
  ['allkeys-lru', 'allkeys-lru', false, undefined],
])('from %s to %s (RESTORE takes it: %s) goes %s', (source, target, absoluteExpiry, kind) => {
  expect(
    useCarried({
      source: { evictionPolicy: source },
      target: { evictionPolicy: target, abilities: { absoluteExpiry } },
    }),
  ).toBe(kind);
});
