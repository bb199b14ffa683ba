/**
 * This machine's clock, ms since 1970. It may be wrong, and set at any moment: only for what people read, and for times that others have
 * given by clocks like it. What lasts is measured by `performance.now()`; what instances compare goes by the storage's clock.
 */
export function wallClock(): number {
  return Date.now();
}
