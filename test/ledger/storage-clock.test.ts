import { StorageClock } from '../../src/ledger/storage-clock';

beforeEach(() => {
  jest.useFakeTimers({ now: Date.parse('2026-01-01T12:00:00.000Z') });
});
afterEach(() => {
  jest.useRealTimers();
});

const HOUR = 3_600_000;
const started = Date.parse('2026-01-01T12:00:00.000Z');

/** An answer of a storage whose clock is so far from the right one. */
function answer(clock: StorageClock, right: number, off = 0, ms = 0): void {
  const asked = performance.now();
  jest.advanceTimersByTime(ms);
  clock.hear(new Date(right + off + ms / 2).toUTCString(), asked);
}

it('is the machine clock before the first answer, and the storage clock from then on, whatever is done to the other', () => {
  const clock = new StorageClock();
  expect(clock.now()).toBe(started);
  answer(clock, started, -HOUR);
  expect(Math.abs(clock.now() - (started - HOUR))).toBeLessThanOrEqual(1_000);
  jest.setSystemTime(started - 5 * HOUR);
  jest.advanceTimersByTime(60_000);
  expect(Math.abs(clock.now() - (started - HOUR + 60_000))).toBeLessThanOrEqual(1_000);
});

it('is narrowed down by answers, however long each of them took', () => {
  const clock = new StorageClock();
  answer(clock, started, 0, 8_000);
  for (let passed = 8_000; passed < 12_000; passed += 130) {
    answer(clock, started + passed);
    jest.advanceTimersByTime(130);
  }
  expect(Math.abs(clock.now() - (started + 12_090))).toBeLessThan(200);
});

it('follows the storage when its own clock is set', () => {
  const clock = new StorageClock();
  answer(clock, started);
  answer(clock, started, -HOUR);
  expect(Math.abs(clock.now() - (started - HOUR))).toBeLessThanOrEqual(1_000);
  clock.hear(undefined, 0);
  clock.hear('soon', 0);
  expect(Math.abs(clock.now() - (started - HOUR))).toBeLessThanOrEqual(1_000);
});
