/** A server that has taken a connection answers the first commands in this time, or not at all. */
const TIMEOUT_MS = 10_000;

/**
 * What a server answers first.
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
  const end = new Promise<never>((_, reject) => {
    const wait = (before: number): void => {
      timer = setTimeout(() => {
        const now = heard();
        if (now === before) reject(late());
        else wait(now);
      }, timeoutMs);
    };
    wait(heard());
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
