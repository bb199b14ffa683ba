/** A server that has taken a connection answers the first commands in this time, or not at all. */
const TIMEOUT_MS = 10_000;

/** A time is counted in so many looks. */
const LOOKS = 5;

/**
 * What a server answers first. Time in which this process itself stood still, as on a machine without a core left for it, counts as one look:
 * what came meanwhile is read before anybody is called late.
 * @param heard changes with everything that comes from the server: as long as it does, what was asked for before is on its way, and the
 * time begins anew
 * @throws what `late` makes where it takes too long; the work's own end is nobody's then
 */
export async function inTime<T>(
  work: Promise<T>,
  late: () => Error,
  timeoutMs = TIMEOUT_MS,
  heard: () => number = () => 0,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const end = new Promise<never>((_, reject) => {
    const look = (before: number, left: number): void => {
      if (isOver) return;
      const now = heard();
      if (now !== before) wait(now, LOOKS);
      else if (left > 1) wait(now, left - 1);
      else reject(late());
    };
    const wait = (before: number, left: number): void => {
      // An immediate comes behind what is to be read, a timer before it.
      timer = setTimeout(() => setImmediate(look, before, left), timeoutMs / LOOKS);
    };
    wait(heard(), LOOKS);
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    isOver = true;
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
