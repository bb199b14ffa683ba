import type { RedisPort } from '../redis/redis-port';

/** At least so many TIME calls a side, and more while the offset is not yet narrowed down to `WIDE_MS`. */
const FEWEST_SAMPLES = 5;
const MOST_SAMPLES = 40;
const WIDE_MS = 2;

/**
 * The server's clock minus the local one, ms. Each TIME call bounds it from both sides, however long this process or the
 * server was busy; what all calls allow is narrower than what the fastest one does.
 */
async function offsetOf(port: RedisPort): Promise<number> {
  let [lowest, highest] = [-Infinity, Infinity];
  for (let i = 0; i < FEWEST_SAMPLES || (i < MOST_SAMPLES && highest - lowest > WIDE_MS); i++) {
    const before = performance.now();
    const reply = await port.call('TIME');
    const after = performance.now();
    if (!Array.isArray(reply)) throw new Error('TIME answered in an unexpected form.');
    const server = Number(String(reply[0])) * 1_000 + Number(String(reply[1])) / 1_000;
    lowest = Math.max(lowest, server - after);
    highest = Math.min(highest, server - before);
  }
  return (lowest + highest) / 2;
}

/** How far the clocks of servers are apart at most, ms; what the measuring itself may be off by is left out. */
export async function clockSpread(servers: readonly RedisPort[]): Promise<number> {
  if (servers.length < 2) return 0;
  const offsets = await Promise.all(servers.map(offsetOf));
  return Math.max(0, Math.max(...offsets) - Math.min(...offsets) - WIDE_MS);
}

/** How two servers' clocks stand to each other and to this process. */
export interface ClockOffset {
  /** The target's clock minus the source's, ms. */
  readonly targetMinusSource: number;
  /** The target's clock now, ms since 1970. */
  targetNow(): number;
}

/** Measures with a few TIME calls on each side. Throws what the connections throw. */
export async function measureClockOffset(source: RedisPort, target: RedisPort): Promise<ClockOffset> {
  const [ofSource, ofTarget] = await Promise.all([offsetOf(source), offsetOf(target)]);
  return { targetMinusSource: ofTarget - ofSource, targetNow: () => performance.now() + ofTarget };
}
