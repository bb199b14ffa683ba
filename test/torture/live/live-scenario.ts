import type { ServerName } from '../../../local/servers/server-names';
import { Dice } from '../dice';

/** What befalls a migration that follows its source. The order is part of what a seed decides. */
const drawnFaults = [
  'one reader is cut off',
  'both readers are cut off',
  'app is killed',
  'app and storage are killed',
  'storage stands still',
  'source restarts',
  'target restarts',
  'source is flushed',
] as const;

/** Those and others, which are asked for by name. */
export const liveFaults = [...drawnFaults, 'app is frozen', 'storage is away for a minute'] as const;
export type LiveFault = (typeof liveFaults)[number];

/** One migration that follows its source, and what befalls it: everything that a seed decides. */
export interface LiveScenario {
  readonly seed: number;
  readonly source: ServerName;
  readonly target: ServerName;
  /** That the source has when it begins, besides those of the writer. */
  readonly keys: number;
  readonly writer: { readonly perSecond: number; readonly keys: number };
  /** For so long it is written to before the cut-over is asked for, ms. */
  readonly ms: number;
  readonly faults: readonly { readonly name: LiveFault; readonly atMs: number }[];
  /** What each piece takes on its way to the target, ms. */
  readonly slowMs: number;
  /** A write after the source was quiet sends the cut-over back. */
  readonly sentBack: boolean;
  /** The way back is asked for, and followed to its own cut-over. */
  readonly reverse: boolean;
}

/** What a run may fix that a seed decides otherwise. */
export interface Fixed {
  readonly keys?: number | undefined;
  readonly seconds?: number | undefined;
  readonly rates?: readonly number[] | undefined;
  readonly faults?: readonly LiveFault[] | undefined;
  readonly servers?: readonly ServerName[] | undefined;
}

/** Each takes what those before it give. */
const SERVERS: readonly ServerName[] = ['redis-6.0', 'redis-7.0', 'valkey-8.1', 'redis-8.0'];
const RATES = [2_000, 10_000, 30_000];
const QUICKEST_MS = 6_000;

/** The scenario of a seed. */
export function drawLive(seed: number, fixed: Fixed = {}): LiveScenario {
  const dice = new Dice(seed);
  const servers = fixed.servers ?? SERVERS;
  const source = oneOf(dice, servers);
  const targets = fixed.servers ?? SERVERS.slice(SERVERS.indexOf(source));
  const keys = dice.between(1_000, 30_000);
  const perSecond = oneOf(dice, fixed.rates ?? RATES);
  const ms = fixed.seconds === undefined ? dice.between(QUICKEST_MS, 20_000) : fixed.seconds * 1_000;
  const drawn = Array.from({ length: dice.between(0, 3) }, () => oneOf<LiveFault>(dice, drawnFaults));
  const faults = (fixed.faults ?? drawn)
    .map((name) => ({ name, atMs: Math.round((ms * dice.between(5, 90)) / 100) }))
    .sort((a, b) => a.atMs - b.atMs);
  return {
    seed,
    source,
    target: oneOf(dice, targets),
    keys: fixed.keys ?? keys,
    writer: { perSecond, keys: dice.between(500, 10_000) },
    ms,
    faults,
    slowMs: dice.chance(20) ? dice.between(2, 30) : 0,
    sentBack: dice.chance(40),
    reverse: dice.chance(25),
  };
}

function oneOf<T>(dice: Dice, items: readonly T[]): T {
  const [first, ...others] = items;
  if (first === undefined) throw new RangeError('Nothing to choose from.');
  return dice.pick([first, ...others]);
}
