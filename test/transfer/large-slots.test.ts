import { hashSlot } from '../../src/keyspace/hash-slot';
import { cursorAt, innerOf, innerPlaceOf, slotOf } from '../../src/keyspace/slot-walk';
import { StoppedError } from '../../src/migration/stop';
import { Connections } from '../../src/redis/connections';
import { BytesInFlight } from '../../src/transfer/bytes-in-flight';
import { scripts } from '../../src/redis/scripts';
import { collectNames, WindowOfNames, type WindowBounds } from '../../src/transfer/large-slot';
import { SlotReader } from '../../src/transfer/slot-reader';
import { serverNames } from '../../local/servers/server-names';
import { startTestCluster } from '../tools/test-cluster';

/** One slot with so many keys, beside others. On the second server more than are named in one call. */
const LARGE = { 'redis-6.0': 4_000, 'redis-7.0': 52_000, 'redis-8.0': 4_000, 'valkey-8.1': 4_000 };
const OTHERS = 3_000;
const COUNT = 100;
/** Two by two they have one hash. */
const PAIRS = ['{t}:803973', '{t}:1da1b63', '{t}:88880b', '{t}:3778234', '{t}:974f66', '{t}:3dec16f'].map((name) =>
  Buffer.from(name),
);
const SLOT = hashSlot(Buffer.from('{t}'));
/** Some windows for a slot, where it is read from more than once anyway. */
const WINDOW = { names: 1_500, bytes: 1e6 };
const limits = { bigKeyBytes: 1_000_000, pageBytes: 1_000_000, lookAtSizes: false };
const all = { index: 0, bits: 0 };

it('the place of a key in its slot stays as it is: stored cursors are such places', () => {
  expect(['', 'a', '{t}:1', 'é\u0000'].map((key) => innerPlaceOf(Buffer.from(key)))).toEqual([
    1087108214066563, 47998453774593, 1062743552545496, 170286576909184,
  ]);
  const cursor = cursorAt(SLOT, 2 ** 50 - 1);
  expect([slotOf(cursor), innerOf(cursor)]).toEqual([SLOT, 2 ** 50 - 1]);
});

/** All names of a slot, window after window and page after page. `taken` gives what comes to each window. */
function walk(
  taken: (window: number) => readonly Buffer[],
  bounds: WindowBounds,
  count = 9,
): { told: string[]; windows: number } {
  const told: string[] = [];
  let windows = 0;
  for (let inner = 0; inner < 2 ** 50; windows++) {
    const window = new WindowOfNames(7, inner, bounds);
    window.add(taken(windows));
    const slot = window.whole();
    expect(slot.covers(inner) && !slot.covers(inner - 1)).toBe(true);
    const begin = inner;
    while (slot.covers(inner)) {
      const { names, next } = slot.from(inner, count);
      expect(next).toBeGreaterThan(inner);
      expect(names.every((name) => innerPlaceOf(name) >= inner && innerPlaceOf(name) < next)).toBe(true);
      told.push(...names.map(String));
      inner = next;
    }
    // Read again from where it was read, it is the same.
    if (windows === 0) expect(told).toEqual(slot.from(begin, told.length).names.map(String));
  }
  return { told, windows };
}

describe('names in windows', () => {
  const names = Array.from({ length: 100 }, (_, i) => Buffer.from(String(i)));
  const large = { names: 1_000, bytes: 1e6 };

  it('are told once each, all of one place together', () => {
    const { told, windows } = walk(() => [...names, ...names.slice(20, 40)], large);
    expect(windows).toBe(1);
    expect(told.sort()).toEqual(names.map(String).sort());
    expect(new WindowOfNames(7, 0, large).whole().from(0, 9)).toEqual({ names: [], next: 2 ** 50 });
  });

  it.each([
    [{ names: 10, bytes: 1e6 }, 10, 25],
    [{ names: 1, bytes: 1e6 }, 80, 101],
    [{ names: 1_000, bytes: 20 }, 10, 25],
    [{ names: 1_000, bytes: 0 }, 80, 101],
  ])('are told once each by many windows: at most %j', (bounds, least, most) => {
    const { told, windows } = walk((window) => {
      const from = (window * 37) % 100;
      return [...names.slice(from), ...names, ...names.slice(0, 20)];
    }, bounds);
    expect(told.sort()).toEqual(names.map(String).sort());
    expect(windows).toBeGreaterThanOrEqual(least);
    expect(windows).toBeLessThanOrEqual(most);
  });

  it('of one place are in one window, however many they are', () => {
    expect(new Set(PAIRS.map(innerPlaceOf)).size).toBe(PAIRS.length / 2);
    for (const bounds of [
      { names: 1, bytes: 1e6 },
      { names: 2, bytes: 1e6 },
      { names: 9, bytes: 0 },
    ]) {
      const { told } = walk(() => [...names, ...PAIRS, ...names, ...PAIRS].reverse(), bounds);
      expect(told.sort()).toEqual([...names, ...PAIRS].map(String).sort());
    }
    expect(walk(() => PAIRS, large, 1).told.sort()).toEqual(PAIRS.map(String).sort());
  });

  it('that are there all the time are told once, and none twice, whatever comes and goes in between', () => {
    const { told } = walk(
      (window) => [
        ...names.filter((_, i) => i % 4 !== 0 || (i + window) % 3 === 0),
        ...Array.from({ length: 30 }, (_, i) => Buffer.from(`new:${window}:${i}`)),
      ],
      { names: 10, bytes: 1e6 },
    );
    expect(new Set(told).size).toBe(told.length);
    const stay = names.filter((_, i) => i % 4 !== 0).map(String);
    expect(stay.filter((name) => !told.includes(name))).toEqual([]);
  });
});

describe('names of a slot from a server whose cursors look as if they went by slots', () => {
  const cursor = (turn: number) => String(BigInt(SLOT) + BigInt(turn) * 16_384n);
  const named = (count: number, from = 0) => Array.from({ length: count }, (_, i) => Buffer.from(`{t}:${from + i}`));
  /** Collects from a node that answers by what is given; tells which scripts it was asked to run. */
  async function collected(keys: number, pages: readonly (readonly Buffer[])[], bounds?: WindowBounds) {
    const asked: string[] = [];
    const cluster = { name: 'C', ownerOf: () => ({ host: 'h', port: 1 }), lane: () => Promise.resolve({ runId: 'r' }) };
    const found = await collectNames(
      cluster as unknown as Parameters<typeof collectNames>[0],
      SLOT,
      0,
      (script, _slot, args) => {
        const isScan = script === scripts.slotScan;
        asked.push(isScan ? String(args[1]) : 'all at once');
        if (!isScan) return Promise.resolve([7, SLOT + 1, Buffer.alloc(0), named(keys), []]);
        const turn = args[1] === '0' ? 0 : Number((BigInt(String(args[1])) - BigInt(SLOT)) / 16_384n);
        const next = turn + 1 < pages.length ? cursor(turn + 1) : '0';
        return Promise.resolve([
          3,
          Buffer.from(next),
          Buffer.alloc(0),
          Buffer.from('1'),
          keys,
          [...(pages[turn] ?? [])],
        ]);
      },
      { bounds },
    );
    return { names: found.from(0, keys).names, asked };
  }

  it.each([
    ['half of them', 3_000, 1_500, false],
    ['one less than half', 3_000, 1_499, true],
    ['a 16,384th', 3_000, 1, true],
  ])('are believed where they are at least half of the keys that it counts: %s', async (_, keys, met, isAskedAnew) => {
    const { names, asked } = await collected(keys, [named(met - 1), named(1, met - 1)]);
    expect(asked).toEqual([cursor(0), cursor(1), ...(isAskedAnew ? ['all at once'] : [])]);
    expect(names).toHaveLength(isAskedAnew ? keys : met);
  });

  it('that are too many for one call come by a walk over the node', async () => {
    const { names, asked } = await collected(50_001, [named(10), named(50_001)]);
    expect(asked).toEqual([cursor(0), cursor(1)]);
    expect(names).toHaveLength(50_001);
    const other = await collected(50_001, [named(10), named(10)]);
    expect(other.asked).toEqual([cursor(0), cursor(1), '0', cursor(1)]);
    expect(other.names).toHaveLength(10);
  });
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
      await port.pipeline(PAIRS.map((key) => ['SET', key, 'x'] as const));

      const make = () => new SlotReader(port.cluster, all, limits, LARGE[name] < 10_000 ? { bounds: WINDOW } : {});
      let reader = make();
      const seen = new Map<string, number>();
      let values = 0;
      let pages = 0;
      let short = 0;
      let moved = false;
      for (let cursor = 0n, begun = false; cursor !== 0n || !begun; begun = true) {
        const { next, page } = await reader.scanAndRead(cursor, COUNT);
        // A page may have whole small slots; of a large one it has what was asked for.
        expect(page.keys.length).toBeLessThan(COUNT + 400);
        if (slotOf(next) === SLOT && innerOf(next) > 0) {
          expect(page.keys.length).toBeLessThanOrEqual(COUNT + 1);
          if (page.keys.length < COUNT) short++;
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
      expect(seen.size).toBe(LARGE[name] + PAIRS.length + OTHERS);
      expect(values).toBe(seen.size);
      expect([...seen.values()].every((times) => times === 1)).toBe(true);
      expect(pages).toBeGreaterThanOrEqual(LARGE[name] / COUNT - 1);
      // Those at the ends of windows.
      expect(short > 0).toBe(LARGE[name] < 10_000);
      expect(short).toBeLessThan(12);

      const { keys, types, next, micros } = await make().scan(cursorAt(SLOT), COUNT, true);
      expect(micros).toBeGreaterThan(0);
      expect(types).toEqual(keys.map(() => 'string'));
      expect(keys).toHaveLength(COUNT);
      expect(innerOf(next)).toBeGreaterThan(0);

      // What it holds is taken from what the process may hold, as far as that goes, and given back with the slot.
      const taken: number[] = [];
      const given: number[] = [];
      const { names } = new BytesInFlight(2 * 1_048_576);
      const budget = {
        take: (bytes: number) => {
          taken.push(names.take(bytes));
          return taken.at(-1)!;
        },
        give: (bytes: number) => {
          given.push(bytes);
          names.give(bytes);
        },
      };
      const bounded = new SlotReader(port.cluster, all, limits, { budget });
      const called: (number | false | undefined)[] = [];
      const told = new Set<string>();
      for (let at = cursorAt(SLOT); slotOf(at) === SLOT;) {
        const page = await bounded.scan(at, 1_000, false);
        called.push(page.asked ?? page.micros);
        for (const key of page.keys) told.add(String(key));
        at = page.next;
      }
      bounded.end();
      expect(told.size).toBe(LARGE[name] + PAIRS.length);
      expect(taken.every((bytes) => bytes <= 1_048_576)).toBe(true);
      expect(given.reduce((sum, bytes) => sum + bytes, 0)).toBe(taken.reduce((sum, bytes) => sum + bytes, 0));
      // The server's time is told with what was asked of it, and nothing where nothing was.
      expect(called.filter((one) => one !== false)).toHaveLength(taken.length);
      expect(called.every((one) => one === false || Number(one) > 0)).toBe(true);

      let checks = 0;
      const check = () => {
        // There the names come with the second call, which is the last.
        if (++checks === (name === 'redis-6.0' ? 1 : 2)) throw new StoppedError('deadline');
      };
      const stopping = new SlotReader(port.cluster, all, limits, { stop: { check } });
      await expect(stopping.scan(cursorAt(SLOT), COUNT, false)).rejects.toThrow(StoppedError);
    } finally {
      connections.close();
      await cluster.close();
    }
  });
});
