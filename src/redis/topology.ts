import { SLOTS } from '../keyspace/hash-slot';
import type { Reply } from './redis-port';

/** Where a node of a cluster listens. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** A master with the slots that it owns. */
export interface Master extends NodeAddress {
  /** First and last slot of each run of slots, ascending. */
  readonly slots: readonly (readonly [first: number, last: number])[];
}

/** Who owns which slots of a cluster, as one of its nodes tells. */
export interface Topology {
  /** In the order of their first slots. */
  readonly masters: readonly Master[];
  /** The nodes that are no masters. */
  readonly replicas: readonly NodeAddress[];
  /** The owner of a slot; undefined for one that nobody owns. */
  ownerOf(slot: number): NodeAddress | undefined;
}

/** An address as text, to tell nodes apart by. */
export function addressText({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

/**
 * Reads the reply of CLUSTER SLOTS: [first, last, [host, port, id, …] of the master, of its replicas …] for each run of slots.
 * @param seedHost the host that answered: a node that does not know its own address, or does not tell it, calls it "", "?" or nil
 * @throws TypeError for a reply of another form
 * @see https://redis.io/docs/latest/commands/cluster-slots/
 */
export function parseTopology(reply: Reply, seedHost: string): Topology {
  if (!Array.isArray(reply)) throw unexpected();
  const masters = new Map<string, NodeAddress & { slots: (readonly [number, number])[] }>();
  const replicas = new Map<string, NodeAddress>();
  const owners = new Array<NodeAddress | undefined>(SLOTS).fill(undefined);
  for (const run of reply) {
    if (!Array.isArray(run)) throw unexpected();
    const [first, last, ...nodes] = run;
    const [master, ...others] = nodes.map((node) => parseNode(node, seedHost));
    if (!isSlot(first) || !isSlot(last) || last < first || master === undefined) throw unexpected();
    const known = masters.get(addressText(master)) ?? { ...master, slots: [] };
    known.slots.push([first, last]);
    masters.set(addressText(master), known);
    owners.fill(known, first, last + 1);
    for (const other of others) replicas.set(addressText(other), other);
  }
  const inOrder = [...masters.values()].map((each) => ({ ...each, slots: each.slots.sort(([a], [b]) => a - b) }));
  return {
    masters: inOrder.sort((a, b) => (a.slots[0]?.[0] ?? 0) - (b.slots[0]?.[0] ?? 0)),
    replicas: [...replicas.values()],
    ownerOf: (slot) => owners[slot],
  };
}

function parseNode(node: Reply | undefined, seedHost: string): NodeAddress {
  if (!Array.isArray(node)) throw unexpected();
  const [host, port] = node;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) throw unexpected();
  const told = Buffer.isBuffer(host) ? host.toString('latin1') : '';
  return { host: hostOf(told, seedHost), port };
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
