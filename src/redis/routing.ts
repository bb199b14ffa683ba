import { hashSlot } from '../keyspace/hash-slot';
import { keyOfCommand } from './command-key';
import type { Cluster } from './cluster';
import { EncodedCommands } from './encoded-command';
import { isRedisError, RedisError } from './errors';
import type { Admits } from './lane';
import type { Command, Reply } from './redis-port';
import { addressText, type NodeAddress } from './topology';

/** What is known of a cluster's nodes, and connections to them. */
export type Nodes = Pick<Cluster, 'name' | 'ownerOf' | 'anyMaster' | 'redirected' | 'suspect' | 'lane' | 'bulk'>;

/** How often one command is sent on to another node; a cluster that sends it around for longer is asked again later. */
const MOST_HOPS = 5;

/** Commands that belong together on one node, by their places: one command, or a transaction. */
interface Unit {
  readonly places: readonly number[];
  /** Undefined for what has no key. */
  readonly slot: number | undefined;
}

/** Where something goes next; `asking`: only this once, since its slot is on its way there. */
interface Way {
  readonly node: NodeAddress;
  readonly asking: boolean;
}

/** What goes the same way, by its places. */
interface Group extends Way {
  readonly places: number[];
}

/** What was refused, by the places, with all that was said. */
type Refused = ReadonlyMap<number, readonly RedisError[]>;

/**
 * Sends commands to the nodes that own their keys, those of one node in one write and in their order; what has no key goes with
 * the next one that has. Those that a node sends on are sent again, by themselves; of one key in their order.
 * @param admits asked of each node's process in the moment in which commands are sent to it
 * @returns replies in the order of the commands; a refused command has a RedisError in its place
 * @throws RedisError of a connection, whatever became of the commands for other nodes
 */
export async function routedPipeline(
  cluster: Nodes,
  commands: readonly Command[],
  admits?: Admits,
): Promise<(Reply | RedisError)[]> {
  const replies = new Array<Reply | RedisError>(commands.length).fill(null);
  const units = unitsOf(commands);
  const groups = grouped(units, ({ slot }) => (slot === undefined ? cluster.anyMaster : cluster.ownerOf(slot)));
  await inHops(cluster, groups, async ({ node, asking, places: asked }) => {
    const lane = await cluster.lane(node);
    const places = asked.map((place) => units[place]?.places ?? []);
    const sent = places.flatMap((own) => [
      ...(asking ? [ASKING] : []),
      ...own.map((place) => commands[place] ?? ASKING),
    ]);
    admits?.(lane.runId ?? '');
    const given = (await lane.pipeline(sent)).filter((_, i) => sent[i] !== ASKING);
    places.flat().forEach((place, i) => (replies[place] = given[i] ?? null));
    return new Map(asked.map((unit, i) => [unit, errorsIn(places[i]?.map((place) => replies[place] ?? null) ?? [])]));
  });
  return replies;
}

/**
 * Sends encoded commands, one for each key, to the nodes that own the keys, to each its own in one piece. Those that a node
 * sends on are sent again, by themselves.
 * @param encode gives the commands at these places, or all; may be called several times for one
 * @param admits as for a pipeline
 * @returns the refusals, by the places of the keys @throws RedisError of a connection
 */
export async function routedSend(
  cluster: Nodes,
  keys: readonly Buffer[],
  encode: (places?: readonly number[]) => EncodedCommands,
  admits?: Admits,
): Promise<ReadonlyMap<number, RedisError>> {
  const refusals = new Map<number, RedisError>();
  const groups = grouped(keys, (key) => cluster.ownerOf(hashSlot(key)));
  await inHops(cluster, groups, async ({ node, asking, places }) => {
    const bulk = await cluster.bulk(node);
    admits?.(bulk.processId);
    const isAll = places.length === keys.length;
    const answers = await bulk.sendAll(asking ? eachAsking(places, encode) : encode(isAll ? undefined : places));
    if (refusals.size > 0) for (const place of places) refusals.delete(place);
    const refused = new Map<number, readonly RedisError[]>();
    for (const [at, error] of answers) {
      const place = places[asking ? (at - 1) / 2 : at];
      // What is said of an ASKING shows in what follows it.
      if (place === undefined) continue;
      refusals.set(place, error);
      refused.set(place, [error]);
    }
    return refused;
  });
  return refusals;
}

/** The places of keys, those of one owner together. @throws RedisError where nobody owns a slot */
export function groupsByOwner(cluster: Pick<Nodes, 'ownerOf'>, keys: readonly Buffer[]): number[][] {
  return grouped(keys, (key) => cluster.ownerOf(hashSlot(key))).map(({ places }) => places);
}

const ASKING: Command = ['ASKING'];

/** An ASKING before each: it holds for one command. */
function eachAsking(
  places: readonly number[],
  encode: (places: readonly number[]) => EncodedCommands,
): EncodedCommands {
  return EncodedCommands.inTurn(places.flatMap((place) => [EncodedCommands.of([ASKING]), encode([place])]));
}

/** Puts things together by the node that they go to. A page has very many, which are of few nodes. */
function grouped<T>(things: readonly T[], nodeOf: (thing: T) => NodeAddress): Group[] {
  const byNode = new Map<NodeAddress, number[]>();
  things.forEach((thing, place) => {
    const node = nodeOf(thing);
    const own = byNode.get(node);
    if (own === undefined) byNode.set(node, [place]);
    else own.push(place);
  });
  if (byNode.size <= 1) return Array.from(byNode, ([node, places]) => ({ node, asking: false, places }));
  const groups = new Groups();
  for (const [node, places] of byNode) groups.add({ node, asking: false }, places);
  return groups.inOrder();
}

/** Groups by where they go: one node may be known by several objects. */
class Groups {
  private readonly byWay = new Map<string, Group>();

  add(way: Way, places: readonly number[]): void {
    const id = `${addressText(way.node)} ${way.asking}`;
    const group = this.byWay.get(id) ?? { ...way, places: [] };
    this.byWay.set(id, group);
    for (const place of places) group.places.push(place);
  }

  /** Each with its places ascending: what belongs to one key stays in its order. */
  inOrder(): Group[] {
    return Array.from(this.byWay.values(), (group) => ({ ...group, places: group.places.sort((a, b) => a - b) }));
  }
}

/**
 * Sends groups to their nodes, and again what is sent on. What is sent around for too long keeps `tryAgain` in place of
 * its last answer.
 * @param send gives what was refused
 */
async function inHops(
  cluster: Nodes,
  first: readonly Group[],
  send: (group: Group) => Promise<Refused>,
): Promise<void> {
  let groups = first;
  for (let hop = 0; groups.length > 0; hop++) {
    const next = new Groups();
    const answers = await Promise.allSettled(groups.map(send));
    for (const [i, answer] of answers.entries()) {
      const from = groups[i]?.node;
      if (answer.status !== 'fulfilled' || from === undefined) continue;
      for (const [place, errors] of answer.value) {
        if (errors.some((error) => isRedisError(error, 'readOnly', 'clusterDown', 'moved'))) cluster.suspect();
        const redirect = errors.find((error) => error.redirect !== undefined)?.redirect;
        if (redirect === undefined) continue;
        next.add({ node: cluster.redirected(redirect, from), asking: redirect.kind === 'ask' }, [place]);
      }
    }
    for (const answer of answers) {
      if (answer.status === 'rejected') {
        cluster.suspect();
        throw answer.reason;
      }
    }
    // Whoever calls hears `moved`, which asks to try again.
    if (hop === MOST_HOPS) return;
    groups = next.inOrder();
  }
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
