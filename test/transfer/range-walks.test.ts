import { ScriptPageReader } from '../../src/transfer/page-reader';
import { onEveryServer } from '../tools/test-server';
import { everything, rangesOfBits, walk, walkAll, walkOptions } from './walking';

const KEYS = 100_000;
const limits = { bigKeyBytes: 1e6, pageBytes: 1e6, lookAtSizes: false };
const FILL = "for i = ARGV[1], ARGV[2] do redis.call('SET', ARGV[3] .. i, i) end";
const EMPTY = "for i = ARGV[1], ARGV[2] do redis.call('UNLINK', ARGV[3] .. i) end";

onEveryServer((at) => {
  const reader = async () => new ScriptPageReader(await at().connect(), limits);
  const fill = (from: number, to: number, prefix: string) => at().client.eval(FILL, 0, from, to, prefix);
  const missedIn = (keys: readonly string[]) => {
    const found = new Set(keys);
    return Array.from({ length: KEYS }, (_, i) => `stable:${i}`).filter((key) => !found.has(key));
  };

  beforeEach(async () => {
    await at().client.flushall();
    await fill(0, KEYS - 1, 'stable:');
  });

  it.each([0, 2, 6])('2^%d ranges give each of 100,000 keys exactly once', async (bits) => {
    const options = rangesOfBits(bits).map((range) =>
      walkOptions(range, { expectedKeys: KEYS / 2 ** bits, selection: everything }),
    );
    const { keys, scanned, repeats } = await walkAll(await reader(), options);
    // A table that is still being resized from filling it may give some keys again; those are counted.
    expect(scanned - repeats).toBe(keys.length);
    expect(keys.length).toBeLessThanOrEqual(KEYS * 1.001);
    expect(missedIn(keys)).toEqual([]);
  });

  it.each([
    ['grows to four times its size', false],
    ['shrinks to a quarter of its size', true],
  ])('16 ranges miss none of them while the table %s', async (_, shrinks) => {
    if (shrinks) await fill(0, 3 * KEYS - 1, 'passing:');
    const source = await reader();
    let done = 0;
    const between = async () => {
      const from = done;
      done += 4_000;
      if (from >= 3 * KEYS) return;
      if (shrinks) await at().client.eval(EMPTY, 0, from, from + 3_999, 'passing:');
      else await fill(from, from + 3_999, 'passing:');
    };
    const expectedKeys = (shrinks ? 4 * KEYS : KEYS) / 16;
    const options = rangesOfBits(4).map((range) =>
      walkOptions(range, {
        expectedKeys,
        attempt: async (call) => {
          await between();
          return await call();
        },
      }),
    );
    const { keys } = await walkAll(source, options);
    expect(missedIn(keys)).toEqual([]);
  });

  it('a range goes on from any cursor that it was at, and misses none behind it', async () => {
    const source = await reader();
    const range = { index: 2, bits: 2 };
    const whole = await walk(source, walkOptions(range, { expectedKeys: KEYS / 4 }));
    const first: string[] = [];
    let cursor = walkOptions(range).start;
    const { next, keys } = await source.scan(cursor, 3_000, false);
    first.push(...keys.map(String));
    cursor = next;
    const rest = await walk(source, walkOptions(range, { expectedKeys: KEYS / 4, start: cursor }));
    expect(new Set([...first, ...rest.keys])).toEqual(new Set(whole.keys));
  });
});
