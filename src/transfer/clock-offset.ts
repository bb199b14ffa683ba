import type { RedisPort } from '../redis/redis-port';

/** At least so many TIME calls a side, and more while they still narrow the offset down to `WIDE_MS`. */
const FEWEST_SAMPLES = 5;
const MOST_SAMPLES = 40;
const WIDE_MS = 2;
/** So many calls must narrow it by this part at least, or more of them would not. */
const LEAST_NARROWED = 0.1;

/** Between which values a server's clock lies beyond the local one, ms. */
export interface Bounds {
  readonly lowest: number;
  readonly highest: number;
}

/**
 * How far the server's clock is from the local one. Each TIME call bounds it from both sides, however long this process or the
 * server was busy; what all calls allow is narrower than what the fastest one does.
 */
async function boundsOf(port: RedisPort): Promise<Bounds> {
  let [lowest, highest, wideBefore] = [-Infinity, Infinity, Infinity];
  for (let i = 0; i < MOST_SAMPLES; i++) {
    const width = highest - lowest;
    if (i > 0 && i % FEWEST_SAMPLES === 0) {
      if (width <= WIDE_MS || width > wideBefore * (1 - LEAST_NARROWED)) break;
      wideBefore = width;
    }
    const before = performance.now();
    const reply = await port.call('TIME');
    const after = performance.now();
    if (!Array.isArray(reply)) throw new Error('TIME answered in an unexpected form.');
    const server = Number(String(reply[0])) * 1_000 + Number(String(reply[1])) / 1_000;
    lowest = Math.max(lowest, server - after);
    highest = Math.min(highest, server - before);
  }
  return { lowest, highest };
}

/** How far the clocks of servers are apart for certain, ms; what the measuring itself may be off by is left out. */
export async function clockSpread(servers: readonly RedisPort[]): Promise<number> {
  if (servers.length < 2) return 0;
  const bounds = await Promise.all(servers.map(boundsOf));
  const [lowest, highest] = [bounds.map((each) => each.lowest), bounds.map((each) => each.highest)];
  return Math.max(0, Math.max(...lowest) - Math.min(...highest));
}

/** How two servers' clocks stand to each other and to this process. */
export interface ClockOffset {
  /** The target's clock minus the source's, ms. */
  readonly targetMinusSource: number;
  /** By how much that may be wrong at most, ms. */
  readonly uncertaintyMs: number;
  /** The target's clock now, ms since 1970. */
  targetNow(): number;
}

/** What is known no better than this is told, ms: so exact are expiries otherwise. Clocks that are kept by NTP are closer. */
export const TOLD_UNCERTAINTY_MS = 10;

/**
 * The difference of two clocks that lie within bounds. A way that is slow in one direction moves the middle of the bounds by half of
 * its slowness: where they are wide and allow equal clocks, that is likelier than any other value.
 */
export function differenceWithin(source: Bounds, target: Bounds): Omit<ClockOffset, 'targetNow'> {
  const [lowest, highest] = [target.lowest - source.highest, target.highest - source.lowest];
  const half = (highest - lowest) / 2;
  const mayBeEqual = lowest <= 0 && highest >= 0;
  return half > TOLD_UNCERTAINTY_MS && mayBeEqual
    ? { targetMinusSource: 0, uncertaintyMs: Math.max(-lowest, highest) }
    : { targetMinusSource: (lowest + highest) / 2, uncertaintyMs: half };
}

/** Measures with a few TIME calls on each side. Throws what the connections throw. */
export async function measureClockOffset(source: RedisPort, target: RedisPort): Promise<ClockOffset> {
  const [ofSource, ofTarget] = await Promise.all([boundsOf(source), boundsOf(target)]);
  const difference = differenceWithin(ofSource, ofTarget);
  // The clock that is known better tells where the other one is.
  const bySource = middleOf(ofSource) + difference.targetMinusSource;
  const targetBeyond =
    widthOf(ofSource) < widthOf(ofTarget)
      ? Math.min(ofTarget.highest, Math.max(ofTarget.lowest, bySource))
      : middleOf(ofTarget);
  return { ...difference, targetNow: () => performance.now() + targetBeyond };
}

function middleOf({ lowest, highest }: Bounds): number {
  return (lowest + highest) / 2;
}

function widthOf({ lowest, highest }: Bounds): number {
  return highest - lowest;
}
