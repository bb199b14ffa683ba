/** Whether a lock that lasts `ms` at most is still held. One that would last longer was written by a clock that was set back since. */
export function isAhead(until: number, ms: number): boolean {
  const left = until - Date.now();
  return left > 0 && left <= ms;
}
