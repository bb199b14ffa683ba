import { setTimeout as sleep } from 'node:timers/promises';
import { ScriptPageReader } from '../../src/transfer/page-reader';
import { onEveryServer } from '../tools/test-server';
import { rangesOfBits, walk, walkAll, walkOptions } from './walking';

const KEYS = 100_000;
const limits = { bigKeyBytes: 1e6, pageBytes: 1e6, lookAtSizes: false };
const FILL = "for i = ARGV[1], ARGV[2] do redis.call('SET', ARGV[3] .. i, i) end";
const EMPTY = "for i = ARGV[1], ARGV[2] do redis.call('UNLINK', ARGV[3] .. i) end";

onEveryServer(
  (at) => {
    const reader = async () => new ScriptPageReader(await at().connect(), limits);
    const fill = (from: number, to: number, prefix: string) => at().client.eval(FILL, 0, from, to - 1, prefix);
    const missedIn = (keys: readonly string[], count: number) => {
      const found = new Set(keys);
      return Array.from({ length: count }, (_, i) => `stable:${i}`).filter((key) => !found.has(key));
    };
    /** Buckets of database 0, of the table that keys are moved to while it is being resized. */
    const buckets = async () => {
      const stats = String(await at().client.call('DEBUG', 'HTSTATS', '0')).split(/\[Expires HT\]/i)[0] ?? '';
      return Number([...stats.matchAll(/table size: (\d+)/g)].at(-1)?.[1]);
    };

    beforeEach(async () => {
      await at().client.flushall();
    });

    it.each([0, 2, 6])('2^%d ranges give each of 100,000 keys exactly once', async (bits) => {
      await fill(0, KEYS, 'stable:');
      const options = rangesOfBits(bits).map((range) => walkOptions(range, { expectedKeys: KEYS / 2 ** bits }));
      const { keys, scanned, repeats } = await walkAll(await reader(), options);
      // A table that is still being resized from filling it may give some keys again; those are counted.
      expect(scanned - repeats).toBe(keys.length);
      expect(keys.length).toBeLessThanOrEqual(KEYS * 1.001);
      expect(missedIn(keys, KEYS)).toEqual([]);
    });

    // Servers shrink a table when less than a tenth of it is used.
    it.each([
      { change: 'grows', stable: 50_000, passing: 100_000, shrinks: false },
      { change: 'shrinks', stable: 10_000, passing: 125_000, shrinks: true },
    ])('16 ranges miss no key that stays while the table $change', async ({ stable, passing, shrinks }) => {
      await fill(0, stable, 'stable:');
      if (shrinks) await fill(0, passing, 'passing:');
      const before = await buckets();
      let [done, calls] = [0, 0];
      const between = async () => {
        calls++;
        if (done >= passing) return;
        const [from, to] = [done, Math.min(passing, done + passing / 20)];
        done = to;
        if (!shrinks) await fill(from, to, 'passing:');
        else await at().client.eval(EMPTY, 0, from, to - 1, 'passing:');
        // Once nearly all are gone, time for the server's own clock to begin the resizing, and to be in the middle of it.
        if (shrinks && done === passing) await sleep(110);
      };
      const expectedKeys = (shrinks ? stable + passing : stable) / 16;
      const options = rangesOfBits(4).map((range) =>
        walkOptions(range, {
          expectedKeys,
          attempt: async (call) => {
            await between();
            return await call();
          },
        }),
      );
      const { keys } = await walkAll(await reader(), options);
      expect(missedIn(keys, stable)).toEqual([]);
      expect(done).toBe(passing);
      expect(calls).toBeGreaterThan(30);
      if (shrinks) expect(await buckets()).toBeLessThan(before);
      else expect(await buckets()).toBeGreaterThan(before);
    });

    it('a range goes on from any cursor that it was at, and misses none behind it', async () => {
      await fill(0, KEYS, 'stable:');
      const source = await reader();
      const range = { index: 2, bits: 2 };
      const whole = await walk(source, walkOptions(range, { expectedKeys: KEYS / 4 }));
      const { next, keys } = await source.scan(walkOptions(range).start, 3_000, false);
      const rest = await walk(source, walkOptions(range, { expectedKeys: KEYS / 4, start: next }));
      const seen = new Set([...keys.map(String), ...rest.keys]);
      expect(whole.keys.filter((key) => !seen.has(key))).toEqual([]);
    });
  },
  // Redis 6.0 has DEBUG always, and does not know the option.
  (name) => ({ args: name === 'redis-6.0' ? [] : ['--enable-debug-command', 'local'] }),
);
