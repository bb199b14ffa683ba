import { hashSlot } from '../keyspace/hash-slot';
import { keyOfCommand } from './command-key';
import type { Cluster } from './cluster';
import { EncodedCommands } from './encoded-command';
import { isRedisError, RedisError } from './errors';
import type { Admits } from './lane';
import type { Command, Reply } from './redis-port';
import { addressText, type NodeAddress } from './topology';

/** How often one command is sent on to another node; a cluster that sends it around for longer is asked again later. */
const MOST_HOPS = 5;

/** Commands that belong together on one node, by their places: one command, or a transaction. */
interface Unit {
  readonly places: readonly number[];
  /** Undefined for what has no key. */
  readonly slot: number | undefined;
}

/** Where a unit goes next; `asking`: only this once, since its slot is on its way there. */
interface Way {
  readonly node: NodeAddress;
  readonly asking: boolean;
}

/**
 * Sends commands to the nodes that own their keys, those of one node in one write and in their order; what has no key goes with
 * the next one that has. Those that a node sends on are sent again, by themselves; of one key in their order.
 * @param admits asked of each node's process in the moment in which commands are sent to it
 * @returns replies in the order of the commands; a refused command has a RedisError in its place
 * @throws RedisError of a connection, whatever became of the commands for other nodes
 */
export async function routedPipeline(
  cluster: Cluster,
  commands: readonly Command[],
  admits?: Admits,
): Promise<(Reply | RedisError)[]> {
  const replies = new Array<Reply | RedisError>(commands.length).fill(null);
  const units = unitsOf(commands);
  await inHops(cluster, units, async (asked, way) => {
    const lane = await cluster.lane(way.node);
    const places = asked.flatMap((unit) => unit.places);
    const sent = asked.flatMap(({ places: own }) => [
      ...(way.asking ? [ASKING] : []),
      ...own.map((place) => commands[place] ?? ASKING),
    ]);
    admits?.(lane.runId ?? '');
    const given = (await lane.pipeline(sent)).filter((_, i) => sent[i] !== ASKING);
    places.forEach((place, i) => (replies[place] = given[i] ?? null));
    return asked.map(({ places: own }) => errorsIn(own.map((place) => replies[place] ?? null)));
  });
  return replies;
}

/**
 * Sends encoded commands, one for each key, to the nodes that own the keys, to each its own in one piece. Those that a node
 * sends on are sent again, by themselves.
 * @param encode gives the commands at these places; may be called several times for one
 * @param admits as for a pipeline
 * @returns the refusals, by the places of the keys @throws RedisError of a connection
 */
export async function routedSend(
  cluster: Cluster,
  keys: readonly Buffer[],
  encode: (places: readonly number[]) => EncodedCommands,
  admits?: Admits,
): Promise<ReadonlyMap<number, RedisError>> {
  const refusals = new Map<number, RedisError>();
  const units = keys.map((key, place): Unit => ({ places: [place], slot: hashSlot(key) }));
  await inHops(cluster, units, async (asked, way) => {
    const bulk = await cluster.bulk(way.node);
    const places = asked.flatMap((unit) => unit.places);
    admits?.(bulk.processId);
    const refused = await bulk.sendAll(way.asking ? eachAsking(places, encode) : encode(places));
    return asked.map((_, i) => {
      const place = places[i] ?? 0;
      const error = way.asking ? refused.get(2 * i + 1) : refused.get(i);
      if (error === undefined) refusals.delete(place);
      else refusals.set(place, error);
      return error === undefined ? [] : [error];
    });
  });
  return refusals;
}

/** The places of keys, those of one owner together. @throws RedisError where nobody owns a slot */
export function groupsByOwner(cluster: Pick<Cluster, 'ownerOf'>, keys: readonly Buffer[]): number[][] {
  const groups = new Map<string, number[]>();
  keys.forEach((key, place) => {
    const owner = addressText(cluster.ownerOf(hashSlot(key)));
    const group = groups.get(owner) ?? [];
    group.push(place);
    groups.set(owner, group);
  });
  return [...groups.values()];
}

const ASKING: Command = ['ASKING'];

/** An ASKING before each: it holds for one command. */
function eachAsking(
  places: readonly number[],
  encode: (places: readonly number[]) => EncodedCommands,
): EncodedCommands {
  return EncodedCommands.inTurn(places.flatMap((place) => [EncodedCommands.of([ASKING]), encode([place])]));
}

/**
 * Sends units to their nodes, and those that are sent on again. What is sent around for too long keeps `tryAgain` in place of
 * its last answer.
 * @param send gives the errors of each unit
 */
async function inHops(
  cluster: Cluster,
  units: readonly Unit[],
  send: (asked: readonly Unit[], way: Way) => Promise<readonly (readonly RedisError[])[]>,
): Promise<void> {
  let open = new Map<Unit, Way>();
  for (const unit of units) open.set(unit, { node: ownerFor(cluster, unit), asking: false });
  for (let hop = 0; open.size > 0; hop++) {
    const next = new Map<Unit, Way>();
    const groups = groupsOf(open);
    const answers = await Promise.allSettled(groups.map(async ([way, asked]) => await send(asked, way)));
    groups.forEach(([, asked], place) => {
      const answer = answers[place];
      if (answer?.status !== 'fulfilled') return;
      asked.forEach((unit, i) => {
        const errors = answer.value[i] ?? [];
        if (errors.some((error) => isRedisError(error, 'readOnly', 'clusterDown', 'moved'))) cluster.suspect();
        const redirect = errors.find((error) => error.redirect !== undefined)?.redirect;
        if (redirect !== undefined) {
          next.set(unit, { node: cluster.redirected(redirect), asking: redirect.kind === 'ask' });
        }
      });
    });
    for (const answer of answers) {
      if (answer.status === 'rejected') {
        cluster.suspect();
        throw answer.reason;
      }
    }
    // Whoever calls hears `moved`, which asks to try again.
    if (hop === MOST_HOPS) return;
    open = next;
  }
}

function ownerFor(cluster: Cluster, { slot }: Unit): NodeAddress {
  return slot === undefined ? cluster.anyMaster : cluster.ownerOf(slot);
}

function groupsOf(open: ReadonlyMap<Unit, Way>): (readonly [Way, readonly Unit[]])[] {
  const groups = new Map<string, [Way, Unit[]]>();
  for (const [unit, way] of open) {
    const id = `${addressText(way.node)} ${way.asking}`;
    const group = groups.get(id) ?? [way, []];
    group[1].push(unit);
    groups.set(id, group);
  }
  return [...groups.values()];
}

/** A transaction's own replies as well as those inside that of its EXEC. */
function errorsIn(replies: readonly (Reply | RedisError)[]): RedisError[] {
  return replies.flat().filter((reply): reply is Reply & RedisError => (reply as unknown) instanceof RedisError);
}

/** Transactions stay whole; what has no key goes with the next unit that has one, or the last one. */
function unitsOf(commands: readonly Command[]): Unit[] {
  const units: { places: number[]; slot: number | undefined }[] = [];
  let inTransaction = false;
  commands.forEach((command, place) => {
    const word = command[0].toUpperCase();
    const key = keyOfCommand(command);
    const slot = key === undefined ? undefined : hashSlot(key);
    const last = units.at(-1);
    if (last !== undefined && inTransaction) {
      last.places.push(place);
      last.slot ??= slot;
    } else units.push({ places: [place], slot });
    inTransaction = word === 'MULTI' || (inTransaction && word !== 'EXEC' && word !== 'DISCARD');
  });
  let following: number | undefined;
  for (const unit of [...units].reverse()) following = unit.slot ??= following;
  let before: number | undefined;
  for (const unit of units) before = unit.slot ??= before;
  return units;
}
