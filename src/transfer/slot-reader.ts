import type { CursorRange } from '../keyspace/cursor';
import { hashSlot } from '../keyspace/hash-slot';
import { LARGEST_COUNT } from '../keyspace/page-size';
import { cursorAt, INNER_END, innerOf, lastSlotOf, slotOf } from '../keyspace/slot-walk';
import { RedisError } from '../redis/errors';
import type { Argument, Command, RedisPort, Reply } from '../redis/redis-port';
import { groupsByOwner, routedPipeline, type Nodes } from '../redis/routing';
import { runScript, scripts, type Script } from '../redis/scripts';
import type { NodeAddress } from '../redis/topology';
import type { HeldBudget } from './bytes-in-flight';
import { bytesOfWindow, collectNames, throwIfNotThere, WINDOW, windowFor } from './large-slot';
import type { CollectOptions, LargeSlot, RunOnOwner } from './large-slot';
import { list, microsOfTime, packed, PipelinePageReader, readNames, readPacked, text } from './page-reader';
import type { PageReader, Payload, ReadKeys, ReadLimits, ScannedKeys } from './page-reader';

/** A slot with more keys than so many pages goes in pieces, if it has at least, or in any case where it has more than, so many. */
const LARGE = 4;
const LEAST_OF_LARGE = 250;
const MOST_OF_WHOLE = 4_000;

/** How the names of a slot with very many keys are collected. */
export interface Collecting extends CollectOptions {
  /** What they may take; where nothing is said, all that a window may. */
  readonly budget?: HeldBudget;
  /** Around all of it, which is begun again where it ends early. */
  readonly inTime?: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Reads a cluster slot by slot, each from the node that owns it at that moment. Cursors are those of keyspace/slot-walk, and mean
 * the same whatever becomes of the nodes: a page has the keys of whole slots, and only of such that its node owned, as a master,
 * with no move going on, in the very moment when they were read. So neither a failover nor slots that move make keys be missed,
 * or be met twice. A slot with very many keys goes in pieces: its names are collected first, as many as memory is for at a time, and
 * its keys then go by their places in the slot, which no node changes.
 */
export class SlotReader implements PageReader {
  private readonly limits: readonly string[];
  /** Reads keys by commands of their own, each sent to where it is. */
  private readonly single: PipelinePageReader;
  private readonly lastSlot: number;
  /** The slot that goes in pieces, and those of its names that were collected last. */
  private largeSlot: number | undefined;
  private large: LargeSlot | undefined;
  /** Bytes that are taken for them. */
  private held = 0;
  /** The longest call that collecting took, microseconds; 0 once it is told. */
  private collectMicros = 0;

  constructor(
    private readonly cluster: Nodes,
    range: CursorRange,
    limits: ReadLimits,
    private readonly collecting: Collecting = {},
  ) {
    const { bigKeyBytes, pageBytes, lookAtSizes, use } = limits;
    const routed: RedisPort = {
      call: async (...command) => {
        const [reply = null] = await routedPipeline(cluster, [command]);
        if (reply instanceof RedisError) throw reply;
        return reply;
      },
      pipeline: (commands) => routedPipeline(cluster, commands),
    };
    this.single = new PipelinePageReader(routed, limits);
    this.limits = [String(bigKeyBytes), String(pageBytes), lookAtSizes ? '1' : '0', use ?? ''];
    this.lastSlot = lastSlotOf(range);
  }

  async scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    const large = await this.largeSlotAt(cursor);
    if (large !== undefined) return await this.scanLarge(large, cursor, count, withTypes);
    const { micros, next, keys, more } = await this.page(scripts.slotNames, cursor, count, [withTypes ? '1' : '0']);
    if (next === cursor) return await this.scan(cursor, count, withTypes);
    return { next, micros, keys: list(keys) as Buffer[], types: list(more).map(text) };
  }

  async scanAndRead(cursor: bigint, count: number): Promise<{ next: bigint; page: ReadKeys }> {
    const large = await this.largeSlotAt(cursor);
    if (large !== undefined) {
      const { next, keys } = await this.scanLarge(large, cursor, count, false);
      return { next, page: await this.read(keys) };
    }
    const { micros, next, keys, more } = await this.page(scripts.slotPage, cursor, count, this.limits);
    if (next === cursor) return await this.scanAndRead(cursor, count);
    return { next, page: readPacked(readNames(packed(keys)), micros, packed(more)) };
  }

  /** Lets go of the names that are held. */
  end(): void {
    this.large = undefined;
    this.collecting.budget?.give(this.held);
    this.held = 0;
  }

  /** The slot at a cursor, where it goes in pieces: it is known to have very many keys, or the cursor stands inside. */
  private async largeSlotAt(cursor: bigint): Promise<LargeSlot | undefined> {
    const [slot, inner] = [slotOf(cursor), innerOf(cursor)];
    if (this.large?.slot === slot && this.large.covers(inner)) return this.large;
    this.end();
    if (inner === 0 && this.largeSlot !== slot) return undefined;
    const collect = () => this.collected(slot, inner);
    this.large = await (this.collecting.inTime?.(collect) ?? collect());
    return this.large;
  }

  private async collected(slot: number, begin: number): Promise<LargeSlot> {
    const { stop, budget, bounds } = this.collecting;
    const room = budget?.take(bytesOfWindow(WINDOW));
    this.held = room ?? 0;
    const run: RunOnOwner = async (script, at, args) => {
      const reply = await this.run(script, this.cluster.ownerOf(at), args);
      this.collectMicros = Math.max(this.collectMicros, Number(list(reply)[0]));
      return reply;
    };
    try {
      const large = await collectNames(this.cluster, slot, begin, run, { stop, bounds: bounds ?? windowFor(room) });
      const left = Math.max(0, this.held - large.bytes);
      budget?.give(left);
      this.held -= left;
      return large;
    } catch (error) {
      this.end();
      if (error instanceof RedisError && error.asks === 'retry') this.cluster.suspect();
      throw error;
    }
  }

  private async scanLarge(large: LargeSlot, cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    const { slot } = large;
    const { names, next } = large.from(innerOf(cursor), Math.min(count, LARGEST_COUNT));
    const { types, micros: typeMicros } = withTypes ? await this.typesOf(names, slot) : { types: [], micros: 0 };
    const micros = Math.max(this.collectMicros, typeMicros);
    this.collectMicros = 0;
    const end = next === INNER_END ? cursorAt(slot + 1) : cursorAt(slot, next);
    return { next: end, micros, keys: names, types, ...(micros === 0 ? { asked: false as const } : {}) };
  }

  /** @returns also the time from the first to the last by the node's own clock, at least 1 */
  private async typesOf(names: readonly Buffer[], slot: number): Promise<{ types: string[]; micros: number }> {
    const lane = await this.cluster.lane(this.cluster.ownerOf(slot));
    const asked = names.map((name): Command => ['TYPE', name]);
    const replies = (await lane.pipeline([['TIME'], ...asked, ['TIME']])).map((reply) => {
      if (reply instanceof RedisError) throw reply;
      return reply;
    });
    const [before, after] = [replies[0], replies.at(-1)].map(microsOfTime);
    return { types: replies.slice(1, -1).map(text), micros: Math.max(1, (after ?? 0) - (before ?? 0)) };
  }

  /** A key that has left its node for another one is read there by itself, and keeps none of the others waiting. */
  async read(keys: readonly Buffer[]): Promise<ReadKeys> {
    const elsewhere: number[] = [];
    const expiries = new Array<number>(keys.length).fill(0);
    const payloads = new Array<Payload>(keys.length).fill('later');
    const uses = new Array<number>(keys.length).fill(-1);
    let [bytes, micros] = [0, 0];
    for (const places of groupsByOwner(this.cluster, keys)) {
      const names = places.map((place) => keys[place] ?? Buffer.alloc(0));
      const node = this.cluster.ownerOf(hashSlot(names[0] ?? Buffer.alloc(0)));
      const reply = list(await this.run(scripts.read, node, [...this.limits, ...names]));
      const page = readPacked(names, Number(reply[0]), packed(reply[1]));
      places.forEach((place, i) => {
        expiries[place] = page.expiries[i] ?? 0;
        payloads[place] = page.payloads[i] ?? 'gone';
        uses[place] = page.uses?.[i] ?? -1;
      });
      elsewhere.push(...page.elsewhere.flatMap((i) => places[i] ?? []));
      bytes += page.bytes;
      micros = Math.max(micros, page.micros);
      // What is left is for the next call: one page's bytes are what one call may bring.
      if (bytes >= Number(this.limits[1])) break;
    }
    if (elsewhere.length > 0) {
      this.cluster.suspect();
      const alone = await this.single.read(elsewhere.map((place) => keys[place] ?? Buffer.alloc(0)));
      elsewhere.forEach((place, i) => {
        expiries[place] = alone.expiries[i] ?? 0;
        payloads[place] = alone.payloads[i] ?? 'later';
      });
      bytes += alone.bytes;
      micros = Math.max(micros, alone.micros);
    }
    return { keys, expiries, payloads, uses, bytes, micros };
  }

  /**
   * One page; at the cursor where it was, and without keys, where the slot there is too large for one.
   * @throws RedisError, also where the node does not have the slot for itself: to be tried again
   */
  private async page(
    script: Script,
    cursor: bigint,
    count: number,
    args: readonly string[],
  ): Promise<{ micros: number; next: bigint; keys: Reply | undefined; more: Reply | undefined }> {
    const slot = slotOf(cursor);
    const most = Math.max(LEAST_OF_LARGE, Math.min(MOST_OF_WHOLE, LARGE * count));
    const reply = list(
      await this.run(script, this.cluster.ownerOf(slot), [...[slot, this.lastSlot, count, most].map(String), ...args]),
    );
    const [micros, next, reason, keys, more] = reply;
    if (text(reason) === 'large') {
      this.largeSlot = slot;
      return { micros: Number(micros), next: cursor, keys, more };
    }
    if (Number(next) <= slot) {
      if (text(reason) === 'elsewhere') this.cluster.suspect();
      throwIfNotThere(this.cluster.name, text(reason));
      throw new RedisError('moved', this.cluster.name);
    }
    return { micros: Number(micros), next: cursorAt(Number(next)), keys, more };
  }

  private async run(script: Script, node: NodeAddress, args: readonly Argument[]): Promise<Reply> {
    try {
      return await runScript(await this.cluster.lane(node), script, [], args);
    } catch (error) {
      // Whatever it was, the node may not be what it was.
      if (error instanceof RedisError && error.asks === 'retry') this.cluster.suspect();
      throw error;
    }
  }
}
