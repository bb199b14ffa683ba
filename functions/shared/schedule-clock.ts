import type { Clock } from '../../src/schedule/run-schedules';

/** Settings are read when the process starts: what came due before was not missed by a schedule that is new. */
const since = Date.now() - process.uptime() * 1_000;

/** @param aheadMs how much later than now it is taken to be */
export function scheduleClock(aheadMs = 0): Clock {
  return { now: Date.now() + aheadMs, since };
}
