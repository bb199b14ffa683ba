import { SLOTS } from '../keyspace/hash-slot';
import type { Reply } from './redis-port';

/** Where a node of a cluster listens. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** A node as the cluster tells of it. Where it listens for its clients is what it is told apart by. */
export interface ClusterNode extends NodeAddress {
  /** 40 hexadecimal digits; undefined where only a redirection has named it. */
  readonly id?: string;
  /** Further names and addresses that it has. */
  readonly otherHosts?: readonly string[];
}

/** A master with the slots that it owns. */
export interface Master extends ClusterNode {
  /** First and last slot of each run of slots, ascending. */
  readonly slots: readonly (readonly [first: number, last: number])[];
}

/** Who owns which slots of a cluster, as one of its nodes tells. */
export interface Topology {
  /** In the order of their first slots. */
  readonly masters: readonly Master[];
  /** The nodes that are no masters. */
  readonly replicas: readonly ClusterNode[];
  /** The owner of a slot; undefined for one that nobody owns. */
  ownerOf(slot: number): ClusterNode | undefined;
}

/** An address as text, to tell nodes apart by. */
export function addressText({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

/**
 * Reads the reply of CLUSTER SLOTS: [first, last, [host, port, id, metadata] of the master, of its replicas …] for each run of slots.
 * @param seedHost the host that answered: a node that does not know its own address, or does not tell it, calls it "", "?" or nil
 * @throws TypeError for a reply of another form
 * @see https://redis.io/docs/latest/commands/cluster-slots/
 */
export function parseTopology(reply: Reply, seedHost: string): Topology {
  if (!Array.isArray(reply)) throw unexpected();
  const masters = new Map<string, ClusterNode>();
  const replicas: ClusterNode[] = [];
  const runs: Run[] = [];
  for (const told of reply) {
    if (!Array.isArray(told)) throw unexpected();
    const [first, last, ...nodes] = told;
    const [master, ...others] = nodes.map((node) => parseNode(node, seedHost));
    if (!isSlot(first) || !isSlot(last) || last < first || master === undefined) throw unexpected();
    const text = addressText(master);
    const owner = masters.get(text) ?? master;
    masters.set(text, owner);
    runs.push({ first, last, owner });
    replicas.push(...others);
  }
  return topologyOfRuns(runs, replicas);
}

/** Slots that follow each other and have the same owner. */
interface Run {
  readonly first: number;
  readonly last: number;
  readonly owner: ClusterNode;
}

function topologyOfRuns(runs: readonly Run[], replicas: readonly ClusterNode[]): Topology {
  const sorted = runs.toSorted((a, b) => a.first - b.first);
  if (!sorted.some(({ first }, i) => i > 0 && first <= (sorted[i - 1]?.last ?? -1)))
    return topologyIn(sorted, replicas);
  // Of two that have a slot the one that is told of last.
  const owners = noOwners();
  for (const { first, last, owner } of runs) owners.fill(owner, first, last + 1);
  return topologyOf(owners, replicas);
}

/** @param owners of each slot, by its number; one object for each node */
export function topologyOf(owners: readonly (ClusterNode | undefined)[], replicas: readonly ClusterNode[]): Topology {
  const runs: Run[] = [];
  for (let first = 0; first < SLOTS;) {
    const { [first]: owner } = owners;
    let last = first;
    while (last + 1 < SLOTS && owners[last + 1] === owner) last++;
    if (owner !== undefined) runs.push({ first, last, owner });
    first = last + 1;
  }
  return topologyIn(runs, replicas);
}

/** @param runs ascending, none of which has a slot of another */
function topologyIn(runs: readonly Run[], replicas: readonly ClusterNode[]): Topology {
  const masters = new Map<string, Master & { readonly slots: (readonly [number, number])[] }>();
  for (const { first, last, owner } of runs) {
    const known = masters.get(addressText(owner)) ?? { ...owner, slots: [] };
    masters.set(addressText(owner), known);
    const before = known.slots.at(-1);
    if (before?.[1] === first - 1) known.slots[known.slots.length - 1] = [before[0], last];
    else known.slots.push([first, last]);
  }
  // In the order in which they were met.
  const inOrder = [...masters.values()];
  return {
    masters: inOrder,
    replicas: [...new Map(replicas.map((each) => [addressText(each), each])).values()],
    ownerOf: ownerIn(inOrder),
  };
}

/** What each of hundreds of nodes says of all is held at once, and few are asked for the owner of a slot: only these have a table. */
function ownerIn(masters: readonly Master[]): Topology['ownerOf'] {
  let owners: (ClusterNode | undefined)[] | undefined;
  return (slot) => {
    if (owners === undefined) {
      owners = noOwners();
      for (const master of masters) for (const [first, last] of master.slots) owners.fill(master, first, last + 1);
    }
    return owners[slot];
  };
}

function noOwners(): (ClusterNode | undefined)[] {
  return new Array<ClusterNode | undefined>(SLOTS).fill(undefined);
}

/** The ids of all nodes, as far as they are told. */
export function idsOfTopology({ masters, replicas }: Pick<Topology, 'masters' | 'replicas'>): string[] {
  return [...masters, ...replicas].flatMap(({ id }) => (id === undefined ? [] : [id]));
}

function parseNode(node: Reply | undefined, seedHost: string): ClusterNode {
  if (!Array.isArray(node)) throw unexpected();
  const [host, port, id, metadata] = node;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) throw unexpected();
  const told = hostOf(textOf(host), seedHost);
  // From 7.0: "hostname" and "ip", of which the first field is the one that the node prefers.
  const named = Array.isArray(metadata) ? metadata.filter((_, i) => i % 2 === 1).map(textOf) : [];
  const otherHosts = [...new Set(named)].filter((name) => name !== '' && name !== '?' && name !== told);
  return {
    host: told,
    port,
    ...(textOf(id) === '' ? {} : { id: textOf(id) }),
    ...(otherHosts.length === 0 ? {} : { otherHosts }),
  };
}

function textOf(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : '';
}

/** The host of a node as it is told, or the one that told it. */
export function hostOf(told: string, seedHost: string): string {
  return told === '' || told === '?' ? seedHost : told;
}

function isSlot(value: Reply | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < SLOTS;
}

function unexpected(): TypeError {
  return new TypeError('CLUSTER SLOTS was answered in an unexpected form.');
}
