import { asksOf, isRedisError, RedisError } from '../redis/errors';
import type { Argument, RedisPort } from '../redis/redis-port';
import type { Script } from '../redis/scripts';

/**
 * Tries whether a converter's scripts may run on a server.
 * @param script calls every command that they call, so that none changes anything
 * @returns the server's refusal; undefined when they may, or when it does not tell now
 * @throws what passes by itself
 */
export async function scriptRefusal(
  port: RedisPort,
  { source }: Script,
  keys: readonly Argument[],
): Promise<string | undefined> {
  try {
    await port.call('EVAL', source, String(keys.length), ...keys);
    return undefined;
  } catch (error) {
    // A full server, or a replica, says nothing about rights.
    if (asksOf(error) === 'room' || isRedisError(error, 'readOnly')) return undefined;
    if (!(error instanceof RedisError) || error.asks === 'retry') throw error;
    return error.message;
  }
}
