import fc from 'fast-check';
import { BytesInFlight } from '../../src/transfer/bytes-in-flight';
import type { ChunkBudget } from '../../src/transfer/by-commands';
import type { PageReader } from '../../src/transfer/page-reader';
import { readRange } from '../../src/transfer/range-pages';
import { makeSelection } from '../../src/migration/selection';
import { SimulatedTable } from '../keyspace/simulated-table';
import { rangesOfBits, walk, walkAll, walkOptions } from './walking';

/** Reads names from a simulated table; `between` runs before each SCAN. */
function readerOf(table: SimulatedTable, between: () => void = () => undefined): PageReader {
  const unused = () => Promise.reject(new Error('only names are read here'));
  return {
    scan: (cursor, count) => {
      between();
      const { next, keys } = table.scan(cursor, count);
      return Promise.resolve({ next, keys: keys.map((key) => Buffer.from(key)), types: [], micros: 1_000 });
    },
    read: unused,
    scanAndRead: unused,
  };
}

const hashes = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

function tableOf(bits: number, keyHashes: readonly bigint[]): SimulatedTable {
  const table = new SimulatedTable(bits);
  keyHashes.forEach((hash, i) => {
    table.add(`key-${i}`, hash);
  });
  return table;
}

describe('the ranges of a table', () => {
  it('give each key exactly once where no bucket is empty', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(hashes, { maxLength: 300 }),
        async (rangeBits, moreBits, more) => {
          const bits = rangeBits + moreBits;
          const keyHashes = [...Array.from({ length: 2 ** bits }, (_, bucket) => BigInt(bucket)), ...more];
          const table = tableOf(bits, keyHashes);
          const expectedKeys = keyHashes.length / 2 ** rangeBits;
          const options = rangesOfBits(rangeBits).map((range) => walkOptions(range, { expectedKeys }));
          const { keys, scanned, repeats } = await walkAll(readerOf(table), options);
          expect([...keys].sort()).toEqual(table.keys().sort());
          expect(scanned - repeats).toBe(keyHashes.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('give each key at least once, however few keys and buckets there are, and count what they give', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 0, max: 8 }),
        fc.array(hashes, { maxLength: 60 }),
        async (rangeBits, bits, keyHashes) => {
          const table = tableOf(bits, keyHashes);
          const expectedKeys = keyHashes.length / 2 ** rangeBits;
          const options = rangesOfBits(rangeBits).map((range) => walkOptions(range, { expectedKeys }));
          const { keys, scanned } = await walkAll(readerOf(table), options);
          expect([...new Set(keys)].sort()).toEqual(table.keys().sort());
          expect(scanned).toBe(keys.length);
        },
      ),
      { numRuns: 100 },
    );
  });

  it.each([
    ['grows', true],
    ['shrinks', false],
    ['does both', undefined],
  ])('miss no key that stays while the table %s between calls', async (_, grow) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 4 }),
        fc.array(hashes, { minLength: 20, maxLength: 200 }),
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 40 }),
        async (rangeBits, keyHashes, sizes, steps) => {
          const table = tableOf(rangeBits + (grow === true ? 0 : 4), keyHashes);
          const changes = grow === undefined ? sizes : [...sizes].sort((a, b) => (grow ? a - b : b - a));
          let calls = 0;
          const between = () => {
            if (++calls % 3 !== 0) table.rehash(steps);
            else {
              const size = changes[Math.min(changes.length - 1, Math.floor(calls / 3))] ?? 0;
              table.resize(rangeBits + size);
            }
          };
          const expectedKeys = keyHashes.length / 2 ** rangeBits;
          const options = rangesOfBits(rangeBits).map((range) => walkOptions(range, { expectedKeys }));
          const { keys } = await walkAll(readerOf(table, between), options);
          expect([...new Set(keys)].sort()).toEqual(table.keys().sort());
        },
      ),
      { numRuns: 80 },
    );
  });

  it('miss no key that stays when the table has become smaller than the number of ranges, and grows again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(hashes, { minLength: 5, maxLength: 40 }),
        fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 40 }),
        async (keyHashes, sizes, steps) => {
          const rangeBits = 4;
          const table = tableOf(2, keyHashes);
          let calls = 0;
          const between = () => {
            if (++calls % 2 === 0) table.rehash(steps);
            else table.resize(sizes[calls % sizes.length] ?? 0);
          };
          const options = rangesOfBits(rangeBits).map((range) => walkOptions(range, { expectedKeys: 4 }));
          const { keys } = await walkAll(readerOf(table, between), options, 1);
          expect([...new Set(keys)].sort()).toEqual(table.keys().sort());
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a walk that fails', () => {
  const failing = new Error('it fails');

  it.each([
    ['naming keys', { scan: () => Promise.reject(failing) }, false],
    ['reading a page', { scanAndRead: () => Promise.reject(failing) }, true],
    ['reading what was later', { read: () => Promise.reject(failing) }, true],
  ])('at %s gives all bytes of its budget back', async (_, changes, wantsValues) => {
    const page = {
      keys: [Buffer.from('a'), Buffer.from('b')],
      expiries: [0, 0],
      payloads: [Buffer.alloc(10), 'later'] as const,
      bytes: 10,
      micros: 1,
    };
    const reader: PageReader = {
      scan: () => Promise.reject(new Error('not here')),
      scanAndRead: () => Promise.resolve({ next: 0n, page }),
      read: () => Promise.reject(new Error('not here')),
      ...changes,
    };
    const budget = new BytesInFlight(1);
    const options = walkOptions({ index: 0, bits: 0 }, { budget, wantsValues: () => wantsValues });
    await expect(walk(reader, options)).rejects.toBe(failing);
    // Would wait for ever if anything were still taken.
    await budget.take(1);
  });

  it('at reading keys that a filter wants gives all bytes of its budget back', async () => {
    const reader: PageReader = {
      scan: () => Promise.resolve({ next: 0n, keys: [Buffer.from('a')], types: [], micros: 1 }),
      scanAndRead: () => Promise.reject(new Error('not here')),
      read: () => Promise.reject(failing),
    };
    const budget = new BytesInFlight(1);
    const selection = makeSelection({ match: ['a'], exclude: [], types: [] });
    const options = walkOptions({ index: 0, bits: 0 }, { budget, selection, wantsValues: () => true });
    await expect(walk(reader, options)).rejects.toBe(failing);
    await budget.take(1);
  });
});

it('of a page that comes key by key all bytes are given back, wherever the walk ends', async () => {
  const keys = ['a', 'b', 'c'].map((key) => Buffer.from(key));
  const page = { keys, expiries: [0, 0, 0], payloads: keys.map(() => Buffer.alloc(1_000)), bytes: 3_000, micros: 1 };
  const unused = () => Promise.reject(new Error('only pages are read here'));
  const reader: PageReader = { scan: unused, read: unused, scanAndRead: () => Promise.resolve({ next: 0n, page }) };
  for (const parts of [1, 2, 3]) {
    const budget = new BytesInFlight(10_000);
    let held = 0;
    const counting: ChunkBudget = {
      take: async (bytes) => {
        held += bytes;
        await budget.take(bytes);
      },
      correct: (taken, actual) => {
        held += actual - taken;
        budget.correct(taken, actual);
      },
      give: (bytes) => {
        held -= bytes;
        budget.give(bytes);
      },
    };
    const options = walkOptions(rangesOfBits(0)[0]!, { budget: counting, wantsValues: () => true, bitByBit: true });
    let seen = 0;
    for await (const part of readRange(reader, options)) {
      counting.give(part.taken);
      if (++seen === parts) break;
    }
    expect([seen, held]).toEqual([parts, 0]);
  }
});
