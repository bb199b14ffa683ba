import { inParallel } from '../basics/in-parallel';
import { RedisError } from '../redis/errors';

/** The server refused to handle this one item; its own words. */
export interface Refused {
  readonly refused: string;
}

/** Single items, where a script may touch no more, are handled at the same time. */
const SINGLES_AT_ONCE = 16;

/**
 * Hands items to scripts, so many at once as a script may touch. What a server refuses because of single items is told of these.
 * @param work gives one result for each item of its batch, in their order
 * @throws everything else that `work` throws
 */
export async function inBatches<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (batch: readonly T[]) => Promise<R[]>,
): Promise<(R | Refused)[]> {
  if (atOnce <= 1) return await singly(items, work);
  const results: (R | Refused)[] = [];
  for (let at = 0; at < items.length; at += atOnce) {
    for (const result of await together(items.slice(at, at + atOnce), work)) results.push(result);
  }
  return results;
}

async function together<T, R>(
  batch: readonly T[],
  work: (batch: readonly T[]) => Promise<R[]>,
): Promise<(R | Refused)[]> {
  try {
    return await work(batch);
  } catch (error) {
    if (!concernsKeys(error)) throw error;
    return await singly(batch, work);
  }
}

async function singly<T, R>(
  items: readonly T[],
  work: (batch: readonly T[]) => Promise<R[]>,
): Promise<(R | Refused)[]> {
  const results = await inParallel(items, SINGLES_AT_ONCE, async (item): Promise<(R | Refused)[]> => {
    try {
      return await work([item]);
    } catch (error) {
      if (!concernsKeys(error)) throw error;
      return [{ refused: error.message }];
    }
  });
  return results.flat();
}

/** Whether it is an answer of the server that has to do with these keys, not with the server's state or the user's rights. */
function concernsKeys(error: unknown): error is RedisError {
  return error instanceof RedisError && error.asks === 'key';
}
