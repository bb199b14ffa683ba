import type { RedisPort } from '../redis/redis-port';

/** At least so many TIME calls a side, and more while they still narrow the offset down to `WIDE_MS`. */
const FEWEST_SAMPLES = 5;
const MOST_SAMPLES = 40;
const WIDE_MS = 2;
/** A server that is busy answers late, and the work must begin all the same: the last call begins no later than this, ms. */
const LONGEST_MS = 1_000;
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
  const began = performance.now();
  for (let i = 0; i < MOST_SAMPLES; i++) {
    const width = highest - lowest;
    if (i > 0 && performance.now() - began > LONGEST_MS) break;
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

function offsetWithin(ofSource: Bounds, ofTarget: Bounds): ClockOffset {
  const difference = differenceWithin(ofSource, ofTarget);
  // The clock that is known better tells where the other one is.
  const bySource = middleOf(ofSource) + difference.targetMinusSource;
  const targetBeyond =
    widthOf(ofSource) < widthOf(ofTarget)
      ? Math.min(ofTarget.highest, Math.max(ofTarget.lowest, bySource))
      : middleOf(ofTarget);
  return { ...difference, targetNow: () => performance.now() + targetBeyond };
}

/** A server whose clock is asked for. */
export interface Clocked {
  readonly connection: RedisPort & {
    /** The server process that answers; empty or undefined where that is not known, or where it is several. */
    readonly runId: string | undefined;
  };
  /** The name of the connection. */
  readonly name: string;
}

/** What is known of a clock so long after it was measured, ms. Clocks that drift apart do so by some milliseconds at most. */
const FRESH_MS = 10_000;

/** The clocks of the servers that a process works with: ranges that begin within some seconds measure them once. */
export class Clocks {
  private readonly known = new Map<string, { readonly bounds: Promise<Bounds>; readonly at: number }>();

  /** Measures with a few TIME calls on each side; both may be one server. Throws what the connections throw. */
  async offset(source: Clocked, target: Clocked): Promise<ClockOffset> {
    return offsetWithin(...(await Promise.all([this.boundsOf(source), this.boundsOf(target)])));
  }

  /** What is known of a server's clock is not believed any more: it may have been set. */
  forget(server: Clocked): void {
    this.known.delete(idOf(server));
  }

  private async boundsOf(server: Clocked): Promise<Bounds> {
    const { connection } = server;
    const { runId = '' } = connection;
    if (runId === '') return await boundsOf(connection);
    const id = idOf(server);
    const known = this.known.get(id);
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return await known.bounds;
    for (const [other, { at }] of this.known) if (performance.now() - at >= FRESH_MS) this.known.delete(other);
    const bounds = boundsOf(connection);
    this.known.set(id, { bounds, at: performance.now() });
    bounds.catch(() => this.known.delete(id));
    return await bounds;
  }
}

function idOf({ name, connection: { runId = '' } }: Clocked): string {
  return `${name} ${runId}`;
}

function middleOf({ lowest, highest }: Bounds): number {
  return (lowest + highest) / 2;
}

function widthOf({ lowest, highest }: Bounds): number {
  return highest - lowest;
}
