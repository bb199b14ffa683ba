import { SLOTS } from '../keyspace/hash-slot';
import { epochsOf, idsOf, lostReplicasOf, ownSlotsOf, selfOf } from './node-list';
import { addressText, idsOfTopology, topologyOf, type ClusterNode, type Topology } from './topology';

/** What one node of a cluster says of all of it. */
export interface View {
  /** As it was asked. */
  readonly node: ClusterNode;
  readonly topology: Topology;
  /** Its CLUSTER NODES, and CLUSTER INFO; empty where they are refused. */
  readonly nodes: string;
  readonly info: string;
}

/**
 * Why it is not certain who has which slots. `differ`: two claim one, and neither claim is the later one, or the one that the latest claim is
 * told of does not make it; `unheard`: an owner did not answer, and may have been replaced; `down`: an owner says that the cluster is, or a slot has
 * none; `moving`: slots are on their way.
 */
export type Doubt = 'differ' | 'unheard' | 'down' | 'moving';

/** Who has which slots of a cluster, as its nodes say together. */
export interface Owners {
  readonly topology: Topology;
  readonly doubt: Doubt | null;
  /** Another text as soon as any slot was on its way: where CLUSTER NODES is refused, as soon as any has another owner. */
  readonly slots: string;
  /**
   * Where there is only one master: how many of its replicas neither it reaches nor have answered here. If one of them was made a master by
   * force, nobody tells.
   */
  readonly unseen: number;
}

/** What a node is told apart by: its address may be told in several ways. */
export function idOf(node: ClusterNode): string {
  return node.id ?? addressText(node);
}

/** Who a view is of; undefined where it does not tell. */
export function selfOfView({ node, nodes }: View): string | undefined {
  return selfOf(nodes)?.id ?? node.id;
}

/**
 * Whether a view is of another cluster: a node that was taken out of one keeps its connections, and may be in another, or alone. Never so
 * of one that tells no ids.
 * @param known the ids of nodes that the cluster has had
 */
export function isStranger(view: View, known: readonly string[]): boolean {
  const told = new Set([...idsOfTopology(view.topology), ...idsOf(view.nodes)]);
  const self = selfOfView(view);
  const others = known.filter((id) => id !== self);
  return told.size > 0 && others.length > 0 && !others.some((id) => told.has(id));
}

type Epochs = ReturnType<typeof epochsOf>;

interface Claim {
  readonly id: string;
  readonly epoch: bigint;
}

/**
 * Puts together what the nodes of a cluster say. Each speaks for itself of what it claims, and the others for those that did not answer;
 * of several that claim a slot the one with the later config epoch has it, as the nodes will agree on once they have heard of each
 * other: one that was replaced and does not know of it is outvoted by any that does.
 * @param views of all nodes that any of them names, as far as they answered; at least one
 * @throws RangeError without any
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-slots-configuration-propagation
 */
export function ownersOf(views: readonly View[]): Owners {
  const [first] = views;
  if (first === undefined) throw new RangeError('Nobody was asked.');
  const heard = new Map<string, View>();
  for (const view of views) for (const id of namesOfSelf(view)) heard.set(id, view);
  const told = new Map(views.map((view) => [view, epochsOf(view.nodes)]));
  const claimed = latestOf(told, (id, view) => (heard.get(id) ?? view) === view);
  const named = latestOf(told, () => true);
  const nodes = nodesBy(views, heard);
  // Who is only named may still have it, and says where it is.
  const owners = claimed.latest.map((claim, slot) => nodes.get((claim ?? named.latest[slot])?.id ?? ''));
  const areOthers = claimed.latest.some((claim, slot) => claim?.id !== named.latest[slot]?.id);
  const ids = new Set(owners.flatMap((owner) => (owner === undefined ? [] : [idOf(owner)])));
  const others = views.flatMap(({ topology }) => [...topology.masters, ...topology.replicas]);
  const topology = topologyOf(
    owners,
    others.filter((node) => !ids.has(idOf(node))),
  );
  const own = topology.masters.map((master) => {
    const view = heard.get(idOf(master));
    return { master, view, told: view && ownSlotsOf(view.nodes) };
  });
  const doubts: readonly [Doubt, boolean][] = [
    ['differ', areOthers || claimed.contested.size + named.contested.size > 0],
    ['unheard', own.some(({ view }) => view === undefined)],
    ['down', owners.includes(undefined) || own.some(({ view }) => view !== undefined && saysDown(view))],
    ['moving', own.some(({ told }) => told?.areMoving === true)],
  ];
  return {
    topology,
    doubt: doubts.find(([, isSo]) => isSo)?.[0] ?? null,
    slots: own
      .map(({ master, told }) => told?.text ?? JSON.stringify([idOf(master), master.slots]))
      .sort()
      .join('\n'),
    unseen: own.length === 1 ? lostReplicasOf(own[0]?.view?.nodes ?? '').filter((id) => !heard.has(id)).length : 0,
  };
}

/** A master that most others cannot reach says that its cluster failed. */
function saysDown({ info }: View): boolean {
  return /^cluster_state:fail/m.test(info);
}

/** By which names the one who answered stands in views. */
function namesOfSelf(view: View): string[] {
  const ids = [selfOf(view.nodes)?.id, view.node.id].filter((id) => id !== undefined);
  if (ids.length > 0) return ids;
  // Its id is not told: it is the one at its address.
  const all = [...view.topology.masters, ...view.topology.replicas];
  return [addressText(view.node), ...all.filter((node) => addressText(node) === addressText(view.node)).map(idOf)];
}

/** Of each slot the latest claim of those that count; and the slots that have two that are equally late. */
function latestOf(told: ReadonlyMap<View, Epochs>, counts: (id: string, view: View) => boolean) {
  const latest = new Array<Claim | undefined>(SLOTS).fill(undefined);
  const contested = new Set<number>();
  // In a large cluster hundreds of nodes say the same: said again, a claim changes nothing.
  const said = new Set<string>();
  for (const [view, epochs] of told) {
    for (const master of view.topology.masters) {
      const claim = { id: idOf(master), epoch: epochs.get(idOf(master)) ?? -1n };
      if (!counts(claim.id, view)) continue;
      for (const [first, last] of master.slots) {
        const words = `${claim.id} ${claim.epoch} ${first} ${last}`;
        if (said.has(words)) continue;
        said.add(words);
        for (let slot = first; slot <= last; slot++) {
          const { [slot]: known } = latest;
          if (known === undefined || claim.epoch > known.epoch) {
            latest[slot] = claim;
            if (known?.id !== claim.id) contested.delete(slot);
          } else if (known.id !== claim.id && claim.epoch === known.epoch) contested.add(slot);
        }
      }
    }
  }
  return { latest, contested };
}

/** One object for each node, with the address at which it answered where that is known: its address may have changed. */
function nodesBy(views: readonly View[], heard: ReadonlyMap<string, View>): ReadonlyMap<string, ClusterNode> {
  const nodes = new Map<string, ClusterNode>();
  for (const { topology } of views) {
    for (const node of topology.masters) {
      const id = idOf(node);
      const asked = heard.get(id)?.node;
      const isThere = asked?.id === id && addressText(asked) === addressText(node);
      if (!nodes.has(id) || isThere) nodes.set(id, node);
    }
  }
  return nodes;
}
