import { PackedReader } from '../redis/message-pack';
import type { RedisPort, Reply } from '../redis/redis-port';
import { RedisError } from '../redis/errors';
import { runOnNode, runScript, scripts } from '../redis/scripts';
import type { ScannedKeys } from '../transfer/page-reader';
import type { AskedSide } from './key-facts';

/** How closely keys are compared. quick: existence, type, length, expiry. full: the values too. */
export type Depth = 'quick' | 'full';

/** Keys that share one digest (GROUP of overview.lua), and its hex digits. */
const GROUP = 16;
const DIGITS = 16;

/** What one server tells of many keys in few bytes; keys are known by their places. */
export interface Overview {
  /** A character a key for its type, as overview.lua says. */
  readonly kinds: string;
  /** One of '0' gone, '1' there, '2' there with an expiry, '3' and '4' the same with the value left out. */
  state(place: number): string;
  /** Absolute expiry in ms of the server's clock; 0: none. */
  expiry(place: number): number;
  /** Stands for the types and values (or lengths) of the 16 keys from place 16 × `group`. */
  digest(group: number): string;
}

/** Whether a side's keys can be looked over, all together or those of each of its nodes. */
export function hasOverviews({ scripts: together, nodeScripts }: AskedSide): boolean {
  return together || nodeScripts === true;
}

/**
 * Looks over the keys named, which one server has.
 * @param kinds their types as the other side has seen them, which spares this one the question; empty where unknown
 * @returns undefined where the node of a cluster does not have all of them for itself, since slots are on their way, or does not allow it
 * @throws the server's error, or the connection's
 */
export async function overviewOf(
  { port, scripts: together }: AskedSide,
  keys: readonly Buffer[],
  depth: Depth,
  kinds = '',
): Promise<Overview | undefined> {
  const args = [depth, kinds];
  const told = together
    ? await runScript(port, scripts.keysOverview, keys, args)
    : await runOnNode(port, scripts.keysOverview, keys[0] ?? '', [...args, ...keys]);
  if (told instanceof RedisError) return undefined;
  const reply = list(told);
  return makeOverview(bytes(reply[1]), bytes(reply[2]), bytes(reply[3]), bytes(reply[4]));
}

/** Scans one page and looks over its keys at once. Throws the server's error, or the connection's. */
export async function scanWithOverview(
  port: RedisPort,
  cursor: bigint,
  count: number,
  depth: Depth,
): Promise<ScannedKeys & { readonly overview: Overview }> {
  const reply = list(await runScript(port, scripts.scanOverview, [], [String(cursor), String(count), depth]));
  const names = new PackedReader(bytes(reply[2]));
  return {
    next: BigInt(bytes(reply[1]).toString('latin1')),
    micros: Number(reply[0]),
    keys: Array.from({ length: names.array() }, () => names.bytes()),
    types: [],
    overview: makeOverview(bytes(reply[3]), bytes(reply[4]), bytes(reply[5]), bytes(reply[6])),
  };
}

function makeOverview(stateBytes: Buffer, times: Buffer, digests: Buffer, kinds: Buffer): Overview {
  const states = stateBytes.toString('latin1');
  const prints = digests.toString('latin1');
  const expiries = new Float64Array(states.length);
  const packed = new PackedReader(times);
  packed.array();
  for (let place = 0; place < states.length; place++) if (expires(states[place])) expiries[place] = packed.number();
  return {
    kinds: kinds.toString('latin1'),
    state: (place) => states[place] ?? '0',
    expiry: (place) => expiries[place] ?? 0,
    digest: (group) => prints.slice(group * DIGITS, (group + 1) * DIGITS),
  };
}

/** What two overviews of the same keys say together, as places. */
export interface FirstLook {
  /** Not on the first side any more. */
  readonly gone: readonly number[];
  /** Equal, as far as is asked. */
  readonly same: readonly number[];
  /** There on both sides, but only a close look can tell whether the values are equal. */
  readonly unsure: readonly number[];
  /** Not on the second side. */
  readonly missing: readonly number[];
  /** With another expiry on the second side, whatever their values are. */
  readonly otherExpiry: readonly number[];
}

/** Compares two overviews of the same keys. */
export function compareOverviews(
  count: number,
  source: Overview,
  target: Overview,
  expiriesAgree: (source: number, target: number) => boolean,
): FirstLook {
  const look: Record<keyof FirstLook, number[]> = { gone: [], same: [], unsure: [], missing: [], otherExpiry: [] };
  for (let first = 0; first < count; first += GROUP) {
    const last = Math.min(first + GROUP, count);
    const equal = source.digest(first / GROUP) === target.digest(first / GROUP);
    for (let place = first; place < last; place++) {
      const [here, there] = [source.state(place), target.state(place)];
      if (here === '0') look.gone.push(place);
      else if (there === '0') look.missing.push(place);
      else if (!expiriesAgree(source.expiry(place), target.expiry(place))) look.otherExpiry.push(place);
      else if (!equal || isLeftOut(here) || isLeftOut(there)) look.unsure.push(place);
      else look.same.push(place);
    }
  }
  return look;
}

function expires(state: string | undefined): boolean {
  return state === '2' || state === '4';
}

function isLeftOut(state: string): boolean {
  return state === '3' || state === '4';
}

function list(reply: Reply | undefined): Reply[] {
  if (!Array.isArray(reply)) throw new Error('The server answered in an unexpected form.');
  return reply;
}

function bytes(reply: Reply | undefined): Buffer {
  if (!Buffer.isBuffer(reply)) throw new Error('The server answered in an unexpected form.');
  return reply;
}
