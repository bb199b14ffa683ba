import type { CursorRange } from '../keyspace/cursor';
import { hashSlot } from '../keyspace/hash-slot';
import { cursorAt, lastSlotOf, slotOf } from '../keyspace/slot-walk';
import type { Cluster } from '../redis/cluster';
import { RedisError } from '../redis/errors';
import type { Argument, Reply } from '../redis/redis-port';
import { groupsByOwner } from '../redis/routing';
import { runScript, scripts, type Script } from '../redis/scripts';
import type { NodeAddress } from '../redis/topology';
import { list, packed, readNames, readPacked, text } from './page-reader';
import type { PageReader, Payload, ReadKeys, ReadLimits, ScannedKeys } from './page-reader';

/**
 * Reads a cluster slot by slot, each from the node that owns it at that moment. Cursors are those of keyspace/slot-walk, and mean
 * the same whatever becomes of the nodes: a page has the keys of whole slots, and only of such that its node owned, as a master,
 * with no move going on, in the very moment when they were read. So neither a failover nor slots that move make keys be missed,
 * or be met twice.
 */
export class SlotReader implements PageReader {
  private readonly limits: readonly string[];
  private readonly lastSlot: number;

  constructor(
    private readonly cluster: Pick<Cluster, 'name' | 'ownerOf' | 'lane' | 'suspect'>,
    range: CursorRange,
    { bigKeyBytes, pageBytes, lookAtSizes, use }: ReadLimits,
  ) {
    this.limits = [String(bigKeyBytes), String(pageBytes), lookAtSizes ? '1' : '0', use ?? ''];
    this.lastSlot = lastSlotOf(range);
  }

  async scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    const [micros, next, keys, types] = await this.page(scripts.slotNames, cursor, [
      String(count),
      withTypes ? '1' : '0',
    ]);
    return { next, micros, keys: list(keys) as Buffer[], types: list(types).map(text) };
  }

  async scanAndRead(cursor: bigint, count: number): Promise<{ next: bigint; page: ReadKeys }> {
    const [micros, next, names, entries] = await this.page(scripts.slotPage, cursor, [String(count), ...this.limits]);
    return { next, page: readPacked(readNames(packed(names)), micros, packed(entries)) };
  }

  async read(keys: readonly Buffer[]): Promise<ReadKeys> {
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
      bytes += page.bytes;
      micros = Math.max(micros, page.micros);
      // What is left is for the next call: one page's bytes are what one call may bring.
      if (bytes >= Number(this.limits[1])) break;
    }
    return { keys, expiries, payloads, uses, bytes, micros };
  }

  /** @throws RedisError, also where the node does not have the slot for itself: to be tried again */
  private async page(
    script: Script,
    cursor: bigint,
    args: readonly string[],
  ): Promise<[micros: number, next: bigint, keys: Reply | undefined, more: Reply | undefined]> {
    const slot = slotOf(cursor);
    const reply = list(
      await this.run(script, this.cluster.ownerOf(slot), [String(slot), String(this.lastSlot), ...args]),
    );
    const [micros, next, reason, keys, more] = reply;
    if (text(reason) === 'down') throw new RedisError('clusterDown', this.cluster.name);
    if (text(reason) === 'moving') throw new RedisError('tryAgain', this.cluster.name);
    if (Number(next) <= slot) {
      this.cluster.suspect();
      throw new RedisError('moved', this.cluster.name);
    }
    return [Number(micros), cursorAt(Number(next)), keys, more];
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
