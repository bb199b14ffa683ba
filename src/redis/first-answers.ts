/** A server that has taken a connection answers the first commands in this time, or not at all. */
const TIMEOUT_MS = 10_000;

/** What a server answers first. @throws what `late` makes where it takes too long; the work's own end is nobody's then */
export async function inTime<T>(work: Promise<T>, late: () => Error, timeoutMs = TIMEOUT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(late());
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
