import { createHash } from 'node:crypto';
import type { CursorRange } from '../keyspace/cursor';
import { hashSlot } from '../keyspace/hash-slot';
import { cursorAt, firstSlotOf, lastSlotOf, ownCursorOf, slotOf, withOwnCursor } from '../keyspace/slot-walk';
import { BeginsAnewError } from '../migration/stop';
import type { Cluster } from '../redis/cluster';
import type { RedisConnection } from '../redis/connection';
import { RedisError } from '../redis/errors';
import { selfOf } from '../redis/node-list';
import { isSameLife, lifeOf, type ProcessLife } from '../redis/process-life';
import type { Command, RedisPort } from '../redis/redis-port';
import { addressText, type NodeAddress } from '../redis/topology';
import { throwIfNotThere } from './large-slot';
import { PipelinePageReader, text, type PageReader, type ReadKeys, type ReadLimits } from './page-reader';
import type { ScannedKeys } from './page-reader';

/** So often it is looked whether slots have moved while a node is walked, ms. At a node's end it is looked in any case. */
const LOOK_MS = 5_000;

interface OwnerNode {
  readonly first: number;
  readonly node: NodeAddress;
  /** Through which it was asked. */
  readonly lane: RedisConnection;
  readonly openings: number;
  readonly life: ProcessLife;
}

/** Who had which slots of a range at a moment. */
interface Owners {
  /** Another one as soon as a slot went from one node to another, also there and back, or a node is another process: 64 bits, not 0. */
  readonly claim: bigint;
  /** In the order of their first slots in the range. */
  readonly nodes: readonly OwnerNode[];
  /** The node that a slot was at, "host:port". */
  readonly at: (slot: number) => string | undefined;
}

/**
 * Reads the slots of a range of a cluster whose nodes give no keys by slots: the nodes that have some of them one after the other, each by
 * SCAN with cursors of its own, of which only the keys of those slots are taken. Nothing more is asked of a node than that and CLUSTER SLOTS;
 * where it tells CLUSTER NODES, moves that are under way, and slots that went and came back, are seen too.
 * Its cursors have the first slot of the node that is walked as their place (keyspace/slot-walk), and above that the node's own cursor, and
 * who had which slots when the range was begun. As soon as that is not so any more, keys may have gone from a node that is walked later to
 * one that was walked before: the range begins anew.
 */
export class NodeReader implements PageReader {
  private readonly first: number;
  private readonly last: number;
  private readonly values: PipelinePageReader;
  private owners: Owners | undefined;
  private lookedAt = 0;

  /** @param port sends each command to the node that owns its key */
  constructor(
    private readonly cluster: Pick<Cluster, 'name' | 'lane' | 'agreement' | 'suspect'>,
    range: CursorRange,
    private readonly port: RedisPort,
    private readonly limits: ReadLimits,
    private readonly lookMs = LOOK_MS,
  ) {
    this.first = firstSlotOf(range);
    this.last = lastSlotOf(range);
    this.values = new PipelinePageReader(port, limits);
  }

  async scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    const { claim, own } = ownCursorOf(cursor);
    const owners = await this.ownersAt(claim);
    const at = owners.nodes.findIndex(({ first }) => first === slotOf(cursor));
    const { node, lane: asked, openings } = owners.nodes[at] ?? {};
    if (node === undefined) throw movedAway();
    const lane = await this.cluster.lane(node);
    // Another connection may lead to another process.
    if (lane !== asked || lane.openings !== openings) await this.look(owners);
    const scanned = await this.scanNode(lane, own, count);
    if (scanned.next === 0n) await this.look(owners);
    const keys = scanned.keys.filter((key) => this.isAt(key, node, owners));
    const types = withTypes ? await this.typesOf(keys) : [];
    return { next: this.cursorBehind(at, scanned.next, owners), keys, types, micros: scanned.micros };
  }

  async scanAndRead(cursor: bigint, count: number): Promise<{ next: bigint; page: ReadKeys }> {
    const { next, keys } = await this.scan(cursor, count, false);
    return { next, page: await this.read(keys) };
  }

  read(keys: readonly Buffer[]): Promise<ReadKeys> {
    return this.values.read(keys);
  }

  private async scanNode(lane: RedisPort, own: bigint, count: number): Promise<ScannedKeys> {
    try {
      return await new PipelinePageReader(lane, this.limits).scan(own, count, false);
    } catch (error) {
      if (error instanceof RedisError && error.asks === 'retry') this.cluster.suspect();
      throw error;
    }
  }

  private isAt(key: Buffer, node: NodeAddress, owners: Owners): boolean {
    const slot = hashSlot(key);
    return slot >= this.first && slot <= this.last && owners.at(slot) === addressText(node);
  }

  private async typesOf(keys: readonly Buffer[]): Promise<string[]> {
    const replies = await this.port.pipeline(keys.map((key): Command => ['TYPE', key]));
    return replies.map((reply) => {
      if (reply instanceof RedisError) throw reply;
      return text(reply);
    });
  }

  private cursorBehind(at: number, own: bigint, { claim, nodes }: Owners): bigint {
    const next = nodes[own === 0n ? at + 1 : at];
    return next === undefined ? cursorAt(this.last + 1) : withOwnCursor(next.first, { claim, own });
  }

  /** Who has which slots, as it was when the range was begun. @param claim of the cursor to go on from; 0 at the range's start @throws BeginsAnewError */
  private async ownersAt(claim: bigint): Promise<Owners> {
    const isDue = performance.now() - this.lookedAt >= this.lookMs;
    if (this.owners === undefined || claim === 0n) this.owners = await this.ask();
    else if (isDue) await this.look(this.owners);
    if (claim !== 0n && claim !== this.owners.claim) throw movedAway();
    return this.owners;
  }

  /** @throws BeginsAnewError where anything is not as it was; RedisError, also while slots are on their way */
  private async look(owners: Owners): Promise<void> {
    const now = await this.ask();
    if (now.claim !== owners.claim) throw movedAway();
    // Cursors are the process' own, and a connection may outlive it behind a proxy.
    for (const [i, { life }] of owners.nodes.entries()) {
      const later = now.nodes[i]?.life;
      if (later === undefined || !isSameLife(life, later)) {
        throw new BeginsAnewError('A node of the cluster is another process.');
      }
    }
    this.owners = now;
  }

  private async ask(): Promise<Owners> {
    const { cluster, first, last } = this;
    const { doubt, topology } = await cluster.agreement();
    if (doubt === 'down') throw new RedisError('clusterDown', cluster.name);
    if (doubt === 'differ') throw new RedisError('nodesDiffer', cluster.name);
    const addresses = new Map<string, NodeAddress>();
    const firstSlots = new Map<string, number>();
    const owners = new Map<number, string>();
    for (let slot = first; slot <= last; slot++) {
      const node = topology.ownerOf(slot);
      if (node === undefined) throw new RedisError('clusterDown', cluster.name);
      const address = addressText(node);
      owners.set(slot, address);
      if (!addresses.has(address)) {
        addresses.set(address, node);
        firstSlots.set(address, slot);
      }
    }
    const told = createHash('sha256');
    const nodes: OwnerNode[] = [];
    for (const [address, node] of addresses) {
      const lane = await cluster.lane(node);
      const { openings } = lane;
      const [reply, info] = await lane.pipeline([['CLUSTER', 'NODES'], ['INFO']]);
      for (const each of [reply, info]) if (each instanceof RedisError && each.asks === 'retry') throw each;
      const self = Buffer.isBuffer(reply) ? selfOf(reply.toString('latin1')) : undefined;
      if (self !== undefined) this.refuseIfNotThere(self, address, owners);
      const life = lifeOf(Buffer.isBuffer(info) ? info.toString('latin1') : '');
      const id = topology.masters.find((master) => addressText(master) === address)?.id ?? '';
      told.update(`${address} ${id} ${self?.epoch ?? ''} ${life.name}\n`);
      nodes.push({ first: firstSlots.get(address) ?? first, node, lane, openings, life });
    }
    for (const [slot, address] of owners) told.update(`${slot} ${address}\n`);
    this.lookedAt = performance.now();
    return { claim: told.digest().readBigUInt64BE() | 1n, nodes, at: (slot) => owners.get(slot) };
  }

  /** @throws RedisError where a node says of itself that it does not have all that others say it has, or that some of it is on its way */
  private refuseIfNotThere(self: NonNullable<ReturnType<typeof selfOf>>, address: string, owners: Map<number, string>) {
    const { cluster, first, last } = this;
    if (self.open.some((slot) => slot >= first && slot <= last)) throwIfNotThere(cluster.name, 'moving');
    const isOwn = (slot: number) => self.slots.some(([from, to]) => slot >= from && slot <= to);
    for (let slot = first; slot <= last; slot++) {
      if (isOwn(slot) !== (owners.get(slot) === address)) {
        cluster.suspect();
        throwIfNotThere(cluster.name, 'elsewhere');
      }
    }
  }
}

function movedAway(): BeginsAnewError {
  return new BeginsAnewError('Slots of the cluster went to other nodes.');
}
