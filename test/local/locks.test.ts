import type { TableClient } from '@azure/data-tables';
import { InstanceStore, type InstanceRecord } from '../../local/durable/instance-store';
import { TimerLock } from '../../local/timer/timer-lock';
import { storageClients } from '../../src/ledger/storage-clients';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

const HOUR = 3_600_000;
const MINUTE = 60_000;

let storage: TestStorage;
let table: TableClient;

beforeAll(async () => {
  storage = await startTestStorage();
  table = storageClients({ AzureWebJobsStorage: storage.connectionString }).table('Locks');
  await table.createTable();
});
afterAll(() => storage.close());
afterEach(() => jest.restoreAllMocks());

/** The machine's clock is set, and so much time passes meanwhile. */
function setClock(byMs: number, passed = 0): void {
  jest.restoreAllMocks();
  const [now, monotonic] = [Date.now.bind(Date), performance.now.bind(performance)];
  jest.spyOn(Date, 'now').mockImplementation(() => now() + byMs);
  jest.spyOn(performance, 'now').mockImplementation(() => monotonic() + passed);
}

it("a timer's lock lasts a minute, however the clock is set", async () => {
  const lock = new TimerLock(table, 'a', 'host 1');
  await lock.begin();
  expect(lock.isHeld).toBe(true);
  setClock(HOUR);
  expect(lock.isHeld).toBe(true);
  setClock(-2 * HOUR);
  expect(lock.isHeld).toBe(true);
  setClock(MINUTE + 1_000, MINUTE + 1_000);
  expect(lock.isHeld).toBe(false);
  const other = new TimerLock(table, 'a', 'host 2');
  await other.begin();
  expect(other.isHeld).toBe(true);
  await Promise.all([lock.end(), other.end()]);
});

it('an instance is held anew where its lock is of a time before the clock was set back', () => {
  const ms = 5 * MINUTE;
  const store = new InstanceStore(table, { host: 'host 1', ms });
  const record = { owner: 'host 1', lockedUntil: new Date(Date.now() + ms).toISOString() } as InstanceRecord;
  expect(store.isHeldFor(record, 2 * MINUTE)).toBe(true);
  expect(store.isHeldFor({ ...record, lockedUntil: '' }, 2 * MINUTE)).toBe(false);
  const other = new InstanceStore(table, { host: 'host 2', ms });
  expect(other.isLocked(record)).toBe(true);
  setClock(4 * MINUTE);
  expect(store.isHeldFor(record, 2 * MINUTE)).toBe(false);
  expect(other.isLocked(record)).toBe(true);
  setClock(-HOUR);
  expect(store.isHeldFor(record, 2 * MINUTE)).toBe(false);
  expect(other.isLocked(record)).toBe(false);
});
