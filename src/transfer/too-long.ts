import { isTooLong, type RedisError } from '../redis/errors';

/** Losses of connections that were a call's own before it is given up. */
const MOST_LOSSES = 3;

/**
 * Makes a call over connections of its own, and again where it loses them for what it does (`valueTooLong`, `replyTooLong`).
 * @returns the error where it lost them each time
 * @throws what else the call throws
 */
export async function unlessTooLong<T>(call: () => Promise<T>): Promise<T | RedisError> {
  for (let losses = 1; ; losses++) {
    try {
      return await call();
    } catch (error) {
      if (!isTooLong(error)) throw error;
      if (losses === MOST_LOSSES) return error;
    }
  }
}
