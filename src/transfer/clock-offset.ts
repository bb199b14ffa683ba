import type { RedisPort } from '../redis/redis-port';

/** Pairs of TIME calls; the one with the shortest round trips tells most. */
const SAMPLES = 5;

/** Microsecond clock of one server, with the local moment in the middle of its round trip, both in ms. */
async function sample(port: RedisPort): Promise<{ offset: number; roundTrip: number }> {
  const before = performance.now();
  const reply = await port.call('TIME');
  const after = performance.now();
  if (!Array.isArray(reply)) throw new Error('TIME answered in an unexpected form.');
  const server = Number(String(reply[0])) * 1_000 + Number(String(reply[1])) / 1_000;
  return { offset: server - (before + after) / 2, roundTrip: after - before };
}

async function bestOffset(port: RedisPort): Promise<number> {
  let best: { offset: number; roundTrip: number } | undefined;
  for (let i = 0; i < SAMPLES; i++) {
    const next = await sample(port);
    if (best === undefined || next.roundTrip < best.roundTrip) best = next;
  }
  return best?.offset ?? 0;
}

/** How two servers' clocks stand to each other and to this process. */
export interface ClockOffset {
  /** The target's clock minus the source's, ms. Its error is at most half the difference of the two round trips. */
  readonly targetMinusSource: number;
  /** The target's clock now, ms since 1970. */
  targetNow(): number;
}

/** Measures with a few TIME calls on each side. Throws what the connections throw. */
export async function measureClockOffset(source: RedisPort, target: RedisPort): Promise<ClockOffset> {
  const [ofSource, ofTarget] = await Promise.all([bestOffset(source), bestOffset(target)]);
  return { targetMinusSource: ofTarget - ofSource, targetNow: () => performance.now() + ofTarget };
}
