import { Simulation } from '../../bench/scale/simulation';
import { StorageOperations } from '../../bench/scale/storage-operations';
import { getRanges, getReport } from '../../src/api/read-migrations';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

const RANGES = 256;
const KEYS = RANGES * 32_768;
const SHARDS = 200;
const PAGE_KEYS = 8_192;

let storage: TestStorage;
beforeAll(async () => {
  storage = await startTestStorage();
});
afterAll(async () => {
  await storage.close();
});

describe('a simulated migration of many ranges into a large cluster', () => {
  let operations: StorageOperations;
  let simulation: Simulation;

  beforeAll(async () => {
    operations = new StorageOperations(storage.connectionString);
    const scale = { id: 'many', keys: KEYS, shards: SHARDS, workers: 40, keysPerSecond: 100_000, pageKeys: PAGE_KEYS };
    simulation = new Simulation(scale, storage.connectionString);
    await simulation.ensure();
  });
  afterAll(() => {
    operations.end();
  });

  it('begins with a few writes of rows, and a message a range', async () => {
    const plan = await simulation.plan();
    expect(plan.databases).toMatchObject([{ bits: Math.log2(RANGES), keys: KEYS }]);
    operations.take();
    expect((await simulation.start(plan)).state).toBe('running');
    const { 'table writes': writes, 'queue messages': messages, conflicts } = operations.take();
    expect({ messages, conflicts }).toEqual({ messages: RANGES, conflicts: 0 });
    // A hundred rows at a time, and the migration's own before and after.
    expect(writes).toBeLessThanOrEqual(Math.ceil(RANGES / 100) + 2);
  });

  it('is visited with as many operations, whatever the number of ranges', async () => {
    await simulation.visit();
    await simulation.touch(['copy-00003', 'copy-00200']);
    operations.take();
    expect(await simulation.visit()).toMatchObject({ finished: false, due: null });
    const visit = operations.take();
    expect(visit).toMatchObject({ 'queue messages': 0, conflicts: 0 });
    expect(visit['table reads'] + visit['table queries'] + visit['table writes']).toBeLessThanOrEqual(8);
    await simulation.touch(['copy-00004']);
    operations.take();
    const all = jest.spyOn(simulation.process.ledger.ranges, 'list');
    expect((await getRanges(simulation.id, simulation.process))?.databases[0]?.states).toHaveLength(RANGES);
    // What a visit has seen is not read again.
    expect(all).not.toHaveBeenCalled();
    expect(operations.take()).toMatchObject({ 'table reads': 1, 'table queries': 2, 'table writes': 0 });
  });

  it('is done by many workers without conflicts, each range once, and the sums are right', async () => {
    operations.take();
    const { messages } = await simulation.work(() => 1);
    const { conflicts } = operations.take();
    expect({ messages, conflicts }).toEqual({ messages: RANGES, conflicts: 0 });
    expect(await simulation.visit()).toMatchObject({ finished: true, status: { state: 'completed' } });
    const { process, id } = simulation;
    expect(await getReport(id, process)).toMatchObject({
      state: 'completed',
      counts: { scanned: KEYS, copied: KEYS, repeats: 0, failed: 0 },
    });
    expect((await getRanges(id, process))?.databases).toEqual([{ database: 0, states: 'd'.repeat(RANGES) }]);
  });
});

it('ranges that come to two workers at once each are done once all the same', async () => {
  const keys = 16 * PAGE_KEYS;
  const scale = { id: 'twice', keys, shards: 3, workers: 16, keysPerSecond: 10_000, pageKeys: PAGE_KEYS / 8 };
  const simulation = new Simulation(scale, storage.connectionString);
  await simulation.ensure();
  const plan = await simulation.plan();
  await simulation.start(plan);
  const operations = new StorageOperations(storage.connectionString);
  await simulation.work(() => 2);
  operations.end();
  // Who came second has stopped, and has written nothing.
  expect(operations.take().conflicts).toBeGreaterThan(0);
  const { rows } = await simulation.process.ledger.seenRanges.list(simulation.id);
  expect(rows.filter(({ state }) => state === 'done')).toHaveLength(2 ** (plan.databases[0]?.bits ?? 0));
  expect(rows.reduce((sum, { counts }) => sum + counts.copied, 0)).toBe(keys);
});
