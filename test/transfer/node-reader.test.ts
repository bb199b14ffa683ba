import { hashSlot } from '../../src/keyspace/hash-slot';
import { ownCursorOf, slotOf } from '../../src/keyspace/slot-walk';
import { endOfRange } from '../../src/keyspace/cursor';
import { BeginsAnewError } from '../../src/migration/stop';
import { Connections } from '../../src/redis/connections';
import { NodeReader } from '../../src/transfer/node-reader';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';

const KEYS = 3_000;
const limits = { bigKeyBytes: 1_000_000, pageBytes: 1_000_000, lookAtSizes: true };
const names = ['redis-6.0', 'valkey-8.1'] as const;

describe.each(names)('a cluster of %s, its nodes walked by cursors of their own', (name) => {
  let cluster: TestCluster;
  let connections: Connections;

  beforeAll(async () => {
    cluster = await startTestCluster(name);
    connections = new Connections({ REDIS_C: cluster.server.url }, 'keyferry-test');
    const port = connections.get('C', 0);
    await port.ready();
    await port.pipeline(Array.from({ length: KEYS }, (_, i) => ['SET', `key:${i}`, String(i)] as const));
  });
  afterAll(async () => {
    connections.close();
    await cluster.close();
  });

  const port = () => connections.get('C', 0);
  const readerOf = (index: number, bits: number, lookMs?: number) =>
    new NodeReader(port().cluster, { index, bits }, port(), limits, lookMs);

  /** All keys of a range; `between` is called behind each page. */
  async function walk(index: number, bits: number, between: (page: number, cursor: bigint) => Promise<void> | void) {
    const seen: string[] = [];
    let reader = readerOf(index, bits, 0);
    let cursor = BigInt(index) === 0n ? 0n : startOf(index, bits);
    for (let page = 1; ; page++) {
      const { next, page: read } = await reader.scanAndRead(cursor, 100);
      seen.push(...read.keys.map(String));
      expect(read.payloads.every((payload) => Buffer.isBuffer(payload))).toBe(true);
      if (endOfRange({ index, bits }, next).ended) {
        expect(endOfRange({ index, bits }, next).beyond).toBe(false);
        return seen;
      }
      await between(page, next);
      cursor = next;
      // Whoever goes on needs nothing but the cursor.
      if (page % 5 === 0) reader = readerOf(index, bits, 0);
    }
  }

  function startOf(index: number, bits: number): bigint {
    let reversed = 0n;
    for (let bit = 0; bit < bits; bit++) if ((index >> bit) & 1) reversed |= 1n << BigInt(bits - 1 - bit);
    return reversed;
  }

  it.each([0, 2])('brings every key of its slots once: %i bits', async (bits) => {
    const all: string[] = [];
    for (let index = 0; index < 2 ** bits; index++) {
      const seen = await walk(index, bits, () => undefined);
      const [first, last] = [(index * 16_384) / 2 ** bits, ((index + 1) * 16_384) / 2 ** bits - 1];
      expect(seen.every((key) => hashSlot(Buffer.from(key)) >= first && hashSlot(Buffer.from(key)) <= last)).toBe(true);
      all.push(...seen);
    }
    expect(new Set(all).size).toBe(KEYS);
    expect(all).toHaveLength(KEYS);
  });

  it('begins anew where slots have moved, also there and back, and otherwise goes on', async () => {
    const slots = [...new Set(Array.from({ length: KEYS }, (_, i) => hashSlot(Buffer.from(`key:${i}`))))].sort(
      (a, b) => a - b,
    );
    const ofFirst = slots.slice(0, 40);
    const moving = walk(0, 0, async (page, cursor) => {
      if (page !== 3) return;
      expect(slotOf(cursor)).toBe(0);
      expect(ownCursorOf(cursor).own).toBeGreaterThan(0n);
      await cluster.moveSlots(0, 2, ofFirst);
    });
    await expect(moving).rejects.toThrow(BeginsAnewError);
    // A range without any of the slots goes on.
    let calls = 0;
    const others = await walk(2, 2, async (page) => {
      calls++;
      if (page === 2) await cluster.moveSlots(2, 0, ofFirst);
    });
    expect(calls).toBeGreaterThan(2);
    expect(new Set(others).size).toBe(others.length);
    const again = await walk(0, 0, () => undefined);
    expect(new Set(again).size).toBe(KEYS);
    const back = walk(0, 0, async (page) => {
      if (page !== 3) return;
      await cluster.moveSlots(0, 1, ofFirst.slice(0, 5));
      await cluster.moveSlots(1, 0, ofFirst.slice(0, 5));
    });
    await expect(back).rejects.toThrow(BeginsAnewError);
  });

  it('waits while slots of the range are on their way', async () => {
    const [from, to] = [cluster.clients[0]!, cluster.clients[1]!];
    const [ofFrom, ofTo] = [await from.cluster('MYID'), await to.cluster('MYID')];
    await to.cluster('SETSLOT', 7, 'IMPORTING', ofFrom);
    await from.cluster('SETSLOT', 7, 'MIGRATING', ofTo);
    await expect(readerOf(0, 2).scan(0n, 100, false)).rejects.toMatchObject({ kind: 'tryAgain' });
    await expect(readerOf(3, 2).scan(startOf(3, 2), 100, false)).resolves.toMatchObject({ types: [] });
    for (const node of [from, to]) await node.cluster('SETSLOT', 7, 'STABLE');
    const { keys, types } = await readerOf(0, 2).scan(0n, 100, true);
    expect(types).toEqual(keys.map(() => 'string'));
  });
});
