import { firstOf } from '../basics/first-of';
import { BulkConnection } from './bulk-connection';
import { idOf, isStranger, ownersOf, selfOfView, type Owners, type View } from './cluster-views';
import type { RedisConnection } from './connection';
import type { ConnectionSettings } from './connection-settings';
import type { CredentialSource } from './credentials';
import { RedisError, type Redirect } from './errors';
import { inTime } from './first-answers';
import { addressesOf } from './node-list';
import { NodeWays, STAGGER_MS } from './node-ways';
import type { RedisPort } from './redis-port';
import {
  addressText,
  hostOf,
  idsOfTopology,
  parseTopology,
  type ClusterNode,
  type Master,
  type NodeAddress,
  type Topology,
} from './topology';

/** A master, as it was tried from here. */
export interface ReachedNode {
  /** As it announces itself, "host:port". */
  readonly address: string;
  /** Where it was reached; undefined where that is its address. */
  readonly via?: string;
  /** The first of its slots, and how many it has. */
  readonly first: number;
  readonly slots: number;
  /** Why it was not reached. */
  readonly trouble?: RedisError;
}

/** For so long a node is waited for that is asked who owns which slots, and of which nothing else comes meanwhile, ms. */
const PATIENCE_MS = 1_000;
/** One that did not answer is not waited for again so soon, ms: an owner, whose word is needed, and any other node. */
const SILENT_MS = { owner: 2_000, other: 30_000 };

/** Who owns which slots, and this process's connections to the nodes: one for commands and one for writing in bulk to each. */
export class Cluster {
  /** Whether it is one at all: set by who finds it out. Until then nothing else here is asked. */
  isOne = false;
  private owners: Owners | undefined;
  /** Slots that a node has said to be elsewhere since the topology was read. */
  private readonly moved = new Map<number, NodeAddress>();
  private refreshing: Promise<void> | undefined;
  /** How often the topology was held to be out of date, and how often as of the beginning of the last reading: it is read again where they differ. */
  private suspicions = 1;
  private suspicionsRead = 0;
  private isClosed = false;
  private named: Promise<boolean> | undefined;
  private readonly lanes = new Map<string, RedisConnection>();
  private readonly bulks = new Map<string, BulkConnection>();
  /** Of those, as of which opening it is known that they lead to their nodes. */
  private readonly recognised = new WeakMap<BulkConnection, number>();
  /** When nodes did not answer that were asked who owns which slots, by their addresses. */
  private readonly silent = new Map<string, number>();

  private readonly ways: NodeWays;

  constructor(
    private readonly seed: ConnectionSettings,
    private readonly clientName: string,
    private readonly credentials?: CredentialSource,
  ) {
    this.ways = new NodeWays(seed, clientName, credentials);
  }

  /** The name of the connection in the settings. */
  get name(): string {
    return this.seed.name;
  }

  /**
   * Whether a server that does not call itself a node of a cluster names other masters all the same, as where a service's INFO hides
   * it: read alone, it would give its own keys and no others. Asked once. @throws RedisError what passes by itself
   */
  async isNamedBy(port: RedisPort): Promise<boolean> {
    this.named ??= this.namesOthers(port).catch((error: unknown) => {
      this.named = undefined;
      throw error;
    });
    return await this.named;
  }

  private async namesOthers(port: RedisPort): Promise<boolean> {
    const [reply] = await port.pipeline([['CLUSTER', 'SLOTS']]);
    if (reply instanceof RedisError && reply.asks === 'retry') throw reply;
    if (!Array.isArray(reply)) return false;
    try {
      return parseTopology(reply, this.seed.host).masters.length > 1;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  }

  private get topology(): Topology | undefined {
    return this.owners?.topology;
  }

  /** Who owns which slots, as it was read last. */
  get known(): Owners | undefined {
    return this.owners;
  }

  /** Whether it is known who owns which slots, as far as nothing has spoken against it. */
  get isKnown(): boolean {
    return this.owners !== undefined && this.suspicionsRead === this.suspicions;
  }

  /** Reads who owns which slots, where that is not known. @throws RedisError where no node tells */
  async ready(): Promise<void> {
    if (!this.isKnown) await this.refresh();
    // What was being read may have been asked for before it was suspected.
    if (!this.isKnown) await this.refresh();
  }

  /** Has the topology read again before the next call: a node was lost, or is no master any more. */
  suspect(): void {
    this.suspicions++;
  }

  /** Takes over what a node says of a slot. Where it has moved, others may have as well: they are asked for. */
  redirected({ kind, slot, host, port }: Redirect, from: NodeAddress): NodeAddress {
    const address = { host: hostOf(host, from.host), port };
    if (kind === 'moved') {
      this.moved.set(slot, address);
      // Nobody waits for it: what it would say of this slot is known.
      this.refresh(address).catch(() => undefined);
    }
    return address;
  }

  /** The node that owns a slot. @throws RedisError where none does, or that is not known */
  ownerOf(slot: number): NodeAddress {
    return this.moved.get(slot) ?? this.topology?.ownerOf(slot) ?? this.nobody();
  }

  /** The masters that own slots; none before `ready`. */
  get masters(): readonly Master[] {
    return this.topology?.masters ?? [];
  }

  /** Whether the slots of another master begin at a slot, as far as it is known who owns which. */
  isBorder(slot: number): boolean {
    const [before, at] = [slot - 1, slot].map((each) => this.moved.get(each) ?? this.topology?.ownerOf(each));
    return before !== at && (before === undefined || at === undefined || addressText(before) !== addressText(at));
  }

  /** The node for what has no key. @throws RedisError where none is known */
  get anyMaster(): NodeAddress {
    return this.masters[0] ?? this.nobody();
  }

  /** Whoever tries again reads anew who has what: by then somebody may. @throws RedisError */
  private nobody(): never {
    this.suspect();
    throw new RedisError('clusterDown', this.name);
  }

  /** The open connection to a node. @throws RedisError */
  async lane(address: NodeAddress): Promise<RedisConnection> {
    try {
      return await this.laneTo(address);
    } catch (error) {
      this.suspect();
      throw error;
    }
  }

  /** As `lane`, for who reads the topology itself: that a node is not reached is a part of what is read. */
  private async laneTo(address: NodeAddress): Promise<RedisConnection> {
    this.refuseIfClosed();
    const text = addressText(address);
    const known = this.lanes.get(text);
    if (known?.runId !== undefined) return known;
    const { connection } = await this.ways.open(this.nodeAt(address));
    if (known !== undefined && known !== connection) known.close();
    this.lanes.set(text, connection);
    this.closeIfEnded(connection);
    return connection;
  }

  /** The open connection to a node for writing in bulk. @throws RedisError */
  async bulk(address: NodeAddress): Promise<BulkConnection> {
    this.refuseIfClosed();
    const text = addressText(address);
    const known = this.bulks.get(text);
    if (known?.runId !== undefined && this.recognised.get(known) === known.openings) return known;
    const settings = await this.wayTo(address);
    const current = this.bulks.get(text);
    const bulk =
      current?.settings === settings ? current : new BulkConnection(settings, 0, this.clientName, this.credentials);
    if (current !== undefined && current !== bulk) current.close();
    this.bulks.set(text, bulk);
    try {
      await bulk.ready();
      this.closeIfEnded(bulk);
      const { openings } = bulk;
      await this.recognise(address, bulk.processId);
      this.recognised.set(bulk, openings);
      return bulk;
    } catch (error) {
      bulk.close();
      this.suspect();
      throw error;
    }
  }

  /**
   * Looks once more who is at the address of a node, where a connection beside the one for commands leads to another process: only by that
   * one it was seen that the node is there, and the address may have become another server's since.
   * @throws RedisError where it is not there any more
   */
  async recognise(address: NodeAddress, processId: string): Promise<void> {
    const lane = await this.lane(address);
    if (lane.runId === '' || processId === '' || lane.runId === processId) return;
    lane.close();
    await this.lane(address);
  }

  /** How a node is reached. @throws RedisError */
  async wayTo(address: NodeAddress): Promise<ConnectionSettings> {
    // Where it is, and that it is no other server, shows when a connection for commands is opened.
    await this.lane(address);
    return this.ways.known(address) ?? this.seed;
  }

  /** Opens a connection to each master, and tells of each what came of it. @throws RedisError where no node tells which there are */
  async tryMasters(): Promise<ReachedNode[]> {
    await this.refresh();
    const { masters } = this.topology ?? { masters: [] };
    return await Promise.all(
      masters.map(async (master): Promise<ReachedNode> => {
        const slots = master.slots.reduce((sum, [first, last]) => sum + last - first + 1, 0);
        const node = { address: addressText(master), first: master.slots[0]?.[0] ?? 0, slots };
        try {
          await this.lane(master);
          const way = this.ways.known(master);
          const via = way === undefined ? node.address : addressText(way);
          return via === node.address ? node : { ...node, via };
        } catch (error) {
          if (!(error instanceof RedisError)) throw error;
          return { ...node, trouble: error };
        }
      }),
    );
  }

  /** How each master is reached, as they are at this moment. @throws RedisError where one is not */
  async waysToMasters(): Promise<ConnectionSettings[]> {
    await this.refresh();
    return await Promise.all(this.masters.map((master) => this.wayTo(master)));
  }

  /** All to its nodes, open or not. */
  get connections(): readonly (RedisConnection | BulkConnection)[] {
    return [...this.lanes.values(), ...this.bulks.values()];
  }

  /** Ends all connections; no other is opened afterwards. */
  close(): void {
    this.isClosed = true;
    this.ways.close();
    for (const connection of this.connections) connection.close();
  }

  private refuseIfClosed(): void {
    if (this.isClosed) throw new RedisError('notOpen', this.name);
  }

  /** A connection that was opened while all were closed. */
  private closeIfEnded(connection: RedisConnection | BulkConnection): void {
    if (this.isClosed) connection.close();
  }

  /** What is known of the node at an address. */
  private nodeAt(address: NodeAddress): ClusterNode {
    const { masters = [], replicas = [] } = this.topology ?? {};
    return [...masters, ...replicas].find((node) => addressText(node) === addressText(address)) ?? address;
  }

  /** Reads who owns which slots. @param first the node to be asked first @throws RedisError where no node tells */
  async refresh(first?: NodeAddress): Promise<void> {
    this.refreshing ??= this.readOwners(first)
      .catch((error: unknown) => {
        this.suspect();
        throw error;
      })
      .finally(() => (this.refreshing = undefined));
    await this.refreshing;
  }

  /** Who owns which slots, and whether that is certain, as all nodes say after this was called. @throws RedisError where no node tells */
  async agreement(): Promise<Owners> {
    // What is being read may have been asked for before.
    await this.refreshing?.catch(() => undefined);
    await this.refresh();
    if (this.owners === undefined) throw new RedisError('clusterDown', this.name);
    return this.owners;
  }

  /**
   * Asks the nodes that are known for what they know, one that is late has the next node asked beside it; and then all others that are
   * known, or that any that answers names: the first alone may have been replaced, or taken out of the cluster, and not know of it.
   * @throws RedisError, the seed's where none does; where there were masters, and those that answer name none
   */
  private async readOwners(first: NodeAddress | undefined): Promise<void> {
    const { seed, topology, suspicions } = this;
    const known = new Map(
      [...(first === undefined ? [] : [first]), ...(topology?.masters ?? []), ...(topology?.replicas ?? []), seed].map(
        ({ host, port }) => [addressText({ host, port }), { host, port }],
      ),
    );
    const asOf = new Map(this.moved);
    const addresses = [...known.values()];
    const before = addresses.map((address) => this.nodeAt(address));
    const answer = await firstOf(
      before.map((node) => async () => await this.askFor(node)),
      STAGGER_MS,
      addresses.findIndex((address) => addressText(address) === addressText(seed)),
    );
    this.learnFrom([answer]);
    const ids = topology === undefined ? [] : idsOfTopology(topology);
    const views = isStranger(answer, ids) ? [] : [answer];
    const heard = new Set([selfOfView(answer)]);
    const asked = new Set([addressText(answer.node)]);
    for (;;) {
      // As it is told, where it was known by another name.
      const named = new Map([...before, ...nodesIn(views)].map((node) => [addressText(node), node]));
      const open = [...named.values()].filter(
        (node) => !asked.has(addressText(node)) && !(node.id !== undefined && heard.has(node.id)),
      );
      if (open.length === 0) break;
      for (const node of open) asked.add(addressText(node));
      const isOwner = (node: ClusterNode) =>
        [topology, ...views.map((view) => view.topology)].some((each) => hasNode(each?.masters ?? [], node));
      const answers = await Promise.all(open.map((node) => this.viewOf(node, isOwner(node))));
      for (const view of answers) {
        if (view === undefined) continue;
        if (!isStranger(view, ids)) views.push(view);
        heard.add(selfOfView(view));
      }
    }
    const owners = views.length === 0 ? undefined : ownersOf(views);
    // Nobody who answers is a node of what it was: that is no reason to forget where its slots are.
    const isLost = this.masters.length > 0 && owners?.topology.masters.length === 0;
    if (owners === undefined || isLost) throw new RedisError('clusterDown', this.name);
    this.owners = owners;
    this.learnFrom(views);
    // What a node has said since may be newer.
    for (const [slot, owner] of asOf) if (this.moved.get(slot) === owner) this.moved.delete(slot);
    this.suspicionsRead = suspicions;
    this.closeOthers(nodesIn(views));
  }

  private learnFrom(views: readonly View[]): void {
    const told = views.map((view) => view.topology);
    const ids = new Set([this.topology, ...told].flatMap((each) => (each === undefined ? [] : idsOfTopology(each))));
    const ofSeed = views.find(({ node, nodes }) => nodes !== '' && addressText(node) === addressText(this.seed));
    this.ways.learn(ids, ofSeed?.nodes);
  }

  /** What a node says, where it does in time. */
  private async viewOf(node: ClusterNode, isOwner: boolean): Promise<View | undefined> {
    const text = addressText(node);
    const silentMs = performance.now() - (this.silent.get(text) ?? Number.NEGATIVE_INFINITY);
    if (silentMs < (isOwner ? SILENT_MS.owner : SILENT_MS.other)) return undefined;
    try {
      const late = () => new RedisError('timeout', this.name);
      const lane = await inTime(this.laneTo(node), late, PATIENCE_MS);
      // Pages that were asked for before may be long.
      const view = await inTime(viewOver(lane, node), late, PATIENCE_MS, () => lane.bytesRead);
      this.silent.delete(text);
      return view;
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      this.silent.set(text, performance.now());
      return undefined;
    }
  }

  private async askFor(node: ClusterNode): Promise<View> {
    return await viewOver(await this.laneTo(node), node);
  }

  /** Ends the connections to nodes that are not its any more, and those for writing to such as are no masters. */
  private closeOthers(nodes: readonly NodeAddress[]): void {
    const masters = [...this.masters, ...this.moved.values()].map(addressText);
    closeBut(new Set(masters), this.bulks);
    // By the name that the connection has it is asked each time, whatever it announces.
    closeBut(new Set([...masters, ...nodes.map(addressText), addressText(this.seed)]), this.lanes);
  }
}

/** What a node knows of all. @throws RedisError */
async function viewOver(lane: RedisConnection, node: ClusterNode): Promise<View> {
  const [slots = null, ...told] = await lane.pipeline([
    ['CLUSTER', 'SLOTS'],
    ['CLUSTER', 'NODES'],
    ['CLUSTER', 'INFO'],
  ]);
  if (slots instanceof RedisError) throw slots;
  const [nodes = '', info = ''] = told.map((reply) => {
    if (reply instanceof RedisError && reply.asks === 'retry') throw reply;
    return Buffer.isBuffer(reply) ? reply.toString('latin1') : '';
  });
  try {
    return { node, topology: parseTopology(slots, node.host), nodes, info };
  } catch (error) {
    // No node answers so: others may be in its place, or it is on its way to be one.
    throw error instanceof TypeError ? new RedisError('otherNode', lane.name, { cause: error }) : error;
  }
}

function closeBut(kept: ReadonlySet<string>, connections: Map<string, { close(): void }>): void {
  for (const [address, connection] of connections) {
    if (kept.has(address)) continue;
    connection.close();
    connections.delete(address);
  }
}

/** All nodes that views name, at each of the addresses that are told of them. */
function nodesIn(views: readonly View[]): readonly ClusterNode[] {
  const told = views.flatMap(({ topology: { masters, replicas } }) => [...masters, ...replicas]);
  const ids = new Set(told.map(idOf));
  const others = views.flatMap(({ node, nodes }) =>
    addressesOf(nodes).flatMap((other) => (ids.has(other.id) ? [] : { ...other, host: hostOf(other.host, node.host) })),
  );
  return [...new Map([...told, ...others].map((node) => [addressText(node), node])).values()];
}

function hasNode(nodes: readonly ClusterNode[], node: ClusterNode): boolean {
  return nodes.some((each) => idOf(each) === idOf(node));
}
