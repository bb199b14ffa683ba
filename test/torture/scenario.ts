import type { ServerName } from '../../local/servers/server-names';
import { Dice } from './dice';
import { drawFaults } from './draw-faults';
import type { PlannedFault } from './faults';

export type Mode = 'copy' | 'sync' | 'compare' | 'dry-run';
export type Verify = 'none' | 'count' | 'quick' | 'full';

/**
 * What a server has after it was killed and started again. none: nothing. old: a part of what it had at the start. start: what it
 * had at the start. recent: what it had shortly before. aof: everything.
 */
export type Persistence = 'none' | 'old' | 'start' | 'recent' | 'aof';

export interface ServerChoice {
  readonly server: ServerName;
  readonly persistence: Persistence;
  readonly replica: boolean;
}

/** The part of the request that matters to what is true afterwards. */
export interface Request {
  readonly mode: Mode;
  readonly verify: Verify;
  readonly onConflict: 'replace' | 'skip';
  readonly deleteExtra: boolean;
  /** Database of the source to that of the target; undefined: all, each to itself. */
  readonly databases: Readonly<Record<number, number>> | undefined;
  /** Only keys whose names begin so; none: all. */
  readonly prefixes: readonly string[];
  readonly limits: { readonly keysPerSecond: number; readonly bytesPerSecond: number; readonly parallelRanges: number };
}

/** Who writes meanwhile, past the app. Commands a second; 0: nobody. */
export interface Writers {
  readonly source: number;
  readonly target: number;
  /** A few large keys of the source are rewritten whole, over and over. */
  readonly rewriting: boolean;
  /** When they stop: a part of the expected time, or at the migration's end. */
  readonly stopAt: number | 'end';
}

/** One migration and what befalls it: everything that a seed decides. */
export interface Scenario {
  readonly seed: number;
  readonly source: ServerChoice;
  readonly target: ServerChoice;
  readonly keys: number;
  /** Databases of the source with keys. */
  readonly databases: readonly number[];
  readonly bigKeys: number;
  /** Every odd name, type and encoding beside the others. */
  readonly odd: boolean;
  /** Keys that expire while it runs. */
  readonly fleeting: number;
  /** empty: no keys. own: keys that the source does not have. overlap: names of the source with other values, too. copied: what a copy gives, and keys of its own. */
  readonly targetBefore: 'empty' | 'own' | 'overlap' | 'copied';
  /** Differences planted into a copied target. */
  readonly planted: number;
  readonly request: Request;
  /** How long it takes without faults, about, in ms. */
  readonly expectedMs: number;
  readonly writers: Writers;
  readonly faults: readonly PlannedFault[];
  /** One key that a limit on bytes makes slower than the time of one message. */
  readonly slowKey: boolean;
}

const servers: Readonly<Record<ServerName, number>> = {
  'redis-6.0': 3,
  'redis-7.0': 3,
  'redis-8.0': 2,
  'valkey-8.1': 2,
};

/** The scenario of a seed. */
export function drawScenario(seed: number): Scenario {
  const dice = new Dice(seed);
  const quiet = dice.chance(12);
  const request = drawRequest(dice);
  const keys = dice.pick([dice.between(500, 2_000), dice.between(2_000, 8_000), dice.between(8_000, 20_000)]);
  const [first = 0, ...others] =
    request.databases === undefined ? [0, 3, 7] : Object.keys(request.databases).map(Number);
  const databases = dice.chance(50) || request.databases !== undefined ? [first, ...others] : [first];
  const needsCopy = request.mode === 'compare' || (request.mode === 'sync' && dice.chance(50));
  const odd = dice.chance(15);
  const expectedMs = quiet ? 0 : dice.between(1_500, 5_000);
  const targetBefore = needsCopy ? 'copied' : dice.weighted({ empty: 4, own: 4, overlap: 4 });
  const scenario: Scenario = {
    seed,
    source: drawServer(dice, quiet),
    target: drawServer(dice, quiet),
    keys,
    databases,
    bigKeys: dice.chance(60) ? dice.between(1, 4) : 0,
    odd,
    fleeting: dice.chance(30) ? dice.between(10, 200) : 0,
    targetBefore,
    planted: needsCopy && dice.chance(75) ? dice.between(1, 60) : 0,
    request: {
      ...request,
      limits: {
        ...request.limits,
        keysPerSecond: quiet && dice.chance(50) ? 0 : rateFor(request, keys, targetBefore, expectedMs),
      },
    },
    expectedMs,
    writers: quiet ? { source: 0, target: 0, rewriting: false, stopAt: 0 } : drawWriters(dice),
    faults: [],
    slowKey: false,
  };
  const drawn = quiet ? scenario : { ...scenario, faults: drawFaults(scenario, dice) };
  return dice.chance(6) && keys < 8_000 ? withSlowKey(drawn) : drawn;
}

/** Bytes of the slow key, and how many a second may be read of all. */
export const SLOW_KEY_BYTES = 2_400_000;
const SLOW_BYTES_PER_SECOND = 200_000;

function withSlowKey(scenario: Scenario): Scenario {
  const limits = { ...scenario.request.limits, bytesPerSecond: SLOW_BYTES_PER_SECOND };
  return { ...scenario, slowKey: true, request: { ...scenario.request, limits } };
}

/** Keys a second, so that faults find it at work; the first ones come at once. A sync counts a key that it writes twice. */
function rateFor({ mode }: Request, keys: number, before: Scenario['targetBefore'], expectedMs: number): number {
  const times = mode === 'sync' && before !== 'copied' ? 2 : 1;
  return Math.max(50, Math.round((times * keys * 1_000) / Math.max(500, expectedMs - 800)));
}

function drawServer(dice: Dice, quiet: boolean): ServerChoice {
  return {
    server: dice.weighted(servers),
    persistence: quiet ? 'none' : dice.pick(['none', 'old', 'start', 'recent', 'aof']),
    replica: !quiet && dice.chance(15),
  };
}

function drawRequest(dice: Dice): Request {
  const kind = dice.weighted({ copy: 40, sync: 14, syncDelete: 26, compare: 14, 'dry-run': 6 });
  const mode = kind === 'syncDelete' ? 'sync' : kind;
  return {
    mode,
    deleteExtra: kind === 'syncDelete',
    verify: mode === 'compare' ? dice.pick(['quick', 'full']) : dice.weighted({ none: 2, count: 5, quick: 2, full: 2 }),
    onConflict: mode === 'copy' && dice.chance(30) ? 'skip' : 'replace',
    databases: dice.chance(15) ? { 0: 2, 5: 5 } : undefined,
    prefixes: dice.chance(12) ? ['user:', 'session:', 'big:'] : [],
    limits: {
      keysPerSecond: 0,
      bytesPerSecond: dice.chance(8) ? 2_000_000 : 0,
      parallelRanges: dice.chance(10) ? dice.between(1, 3) : 0,
    },
  };
}

function drawWriters(dice: Dice): Writers {
  const source = dice.chance(35) ? dice.between(50, 800) : 0;
  return {
    source,
    target: dice.chance(12) ? dice.between(20, 200) : 0,
    rewriting: dice.chance(15),
    stopAt: dice.chance(50) ? 'end' : dice.between(20, 90) / 100,
  };
}

/** The body of the POST. */
export function bodyOf({ request }: Scenario): Record<string, unknown> {
  const { mode, verify, onConflict, deleteExtra, databases, prefixes, limits } = request;
  return {
    source: 'OLD',
    target: 'NEW',
    mode,
    ...(mode === 'dry-run' ? {} : { verify }),
    ...(onConflict === 'replace' ? {} : { onConflict }),
    ...(deleteExtra ? { deleteExtra } : {}),
    ...(databases === undefined ? {} : { databases }),
    ...(prefixes.length === 0 ? {} : { select: { match: prefixes.map((prefix) => `${prefix}*`) } }),
    limits,
  };
}

/** Whether the target cannot hold everything of the source. */
export function isOlder({ source, target }: Pick<Scenario, 'source' | 'target'>): boolean {
  return target.server < source.server;
}

/** Whether nothing befalls it, so that it must end well. */
export function isQuiet({ faults, writers }: Scenario): boolean {
  return faults.length === 0 && writers.source === 0 && writers.target === 0 && !writers.rewriting;
}
