import { hashSlot } from '../../src/keyspace/hash-slot';
import { cursorAt, innerOf, innerPlaceOf, slotOf } from '../../src/keyspace/slot-walk';
import { Connections } from '../../src/redis/connections';
import { LargeSlot } from '../../src/transfer/large-slot';
import { SlotReader } from '../../src/transfer/slot-reader';
import { serverNames } from '../../local/servers/server-names';
import { startTestCluster } from '../tools/test-cluster';

/** One slot with so many keys, beside others. On the second server more than are named in one call. */
const LARGE = { 'redis-6.0': 4_000, 'redis-7.0': 52_000, 'redis-8.0': 4_000, 'valkey-8.1': 4_000 };
const OTHERS = 3_000;
const COUNT = 100;
const SLOT = hashSlot(Buffer.from('{t}'));
const limits = { bigKeyBytes: 1_000_000, pageBytes: 1_000_000, lookAtSizes: false };
const all = { index: 0, bits: 0 };

it('the place of a key in its slot stays as it is: stored cursors are such places', () => {
  expect(['', 'a', '{t}:1', 'é\u0000'].map((key) => innerPlaceOf(Buffer.from(key)))).toEqual([
    1087108214066563, 47998453774593, 1062743552545496, 170286576909184,
  ]);
  const cursor = cursorAt(SLOT, 2 ** 50 - 1);
  expect([slotOf(cursor), innerOf(cursor)]).toEqual([SLOT, 2 ** 50 - 1]);
});

it('names are told once each, all of one place together', () => {
  const names = Array.from({ length: 100 }, (_, i) => Buffer.from(String(i)));
  const slot = LargeSlot.of(7, [...names, ...names.slice(20, 40)]);
  const told: string[] = [];
  for (let inner = 0; inner < 2 ** 50;) {
    const { names: some, next } = slot.from(inner, 9);
    expect(some.length).toBeLessThanOrEqual(9);
    told.push(...some.map(String));
    inner = next;
  }
  expect(told.sort()).toEqual(names.map(String).sort());
  expect(LargeSlot.of(7, []).from(0, 9)).toEqual({ names: [], next: 2 ** 50 });
});

describe.each(serverNames)('a slot with very many keys on %s', (name) => {
  it('goes in pieces, every key once, from wherever the next worker begins, also on another node', async () => {
    const cluster = await startTestCluster(name, { masters: 2 });
    const connections = new Connections({ REDIS_C: cluster.server.url }, 'keyferry-test');
    try {
      const owner = cluster.clients[SLOT < 8_192 ? 0 : 1]!;
      const fill = "for i = 1, ARGV[1] do redis.call('SET', '{t}:' .. i, i) end";
      await owner.eval(fill, 1, '{t}', LARGE[name]);
      const port = connections.get('C', 0);
      await port.ready();
      await port.pipeline(Array.from({ length: OTHERS }, (_, i) => ['SET', `key:${i}`, 'x'] as const));

      const make = () => new SlotReader(port.cluster, all, limits);
      let reader = make();
      const seen = new Map<string, number>();
      let values = 0;
      let pages = 0;
      let moved = false;
      for (let cursor = 0n, begun = false; cursor !== 0n || !begun; begun = true) {
        const { next, page } = await reader.scanAndRead(cursor, COUNT);
        // A page may have whole small slots; of a large one it has what was asked for.
        expect(page.keys.length).toBeLessThan(COUNT + 400);
        if (slotOf(next) === SLOT && innerOf(next) > 0) {
          expect(page.keys).toHaveLength(COUNT);
          pages++;
          if (pages % 17 === 0 && LARGE[name] < 10_000) reader = make();
          if (pages > 20 && !moved && LARGE[name] < 10_000) {
            moved = true;
            await cluster.moveSlots(SLOT < 8_192 ? 0 : 1, SLOT < 8_192 ? 1 : 0, [SLOT]);
            port.cluster.suspect();
            await port.ready();
          }
        }
        for (const key of page.keys) seen.set(String(key), (seen.get(String(key)) ?? 0) + 1);
        values += page.payloads.filter((payload) => Buffer.isBuffer(payload)).length;
        cursor = next;
      }
      expect(seen.size).toBe(LARGE[name] + OTHERS);
      expect(values).toBe(seen.size);
      expect([...seen.values()].every((times) => times === 1)).toBe(true);
      expect(pages).toBeGreaterThanOrEqual(LARGE[name] / COUNT - 1);

      const { keys, types, next } = await make().scan(cursorAt(SLOT), COUNT, true);
      expect(types).toEqual(keys.map(() => 'string'));
      expect(keys).toHaveLength(COUNT);
      expect(innerOf(next)).toBeGreaterThan(0);
    } finally {
      connections.close();
      await cluster.close();
    }
  });
});
