import { asksOf, isRedisError, RedisError } from '../../redis/errors';
import type { Command, RedisPort } from '../../redis/redis-port';

/** Names of one slot, which nobody has. */
const DATA = '{keyferry:probe_1}_Data';
const INTERNAL = '{keyferry:probe_1}_Internal';

const READS = `
redis.call('TIME') redis.call('TYPE', KEYS[1]) redis.call('HLEN', KEYS[1]) redis.call('HGETALL', KEYS[1])
redis.call('HGET', KEYS[2], 'SessionTimeout') redis.call('HSCAN', KEYS[1], '0', 'COUNT', '5') redis.call('EXISTS', KEYS[2])
redis.call('STRLEN', KEYS[1]) redis.call('GET', KEYS[1]) return redis.call('PTTL', KEYS[1])`;
const WRITES = `
if redis.replicate_commands then redis.replicate_commands() end
redis.call('TIME') redis.call('TYPE', KEYS[1]) redis.call('GET', KEYS[1]) redis.call('PTTL', KEYS[1])
redis.call('SET', KEYS[1], '', 'XX') redis.call('PEXPIREAT', KEYS[1], '1') return redis.call('DEL', KEYS[2])`;

/**
 * Tries whether a conversion's scripts may run on a server, with every command that they call and without changing a key.
 * @returns the server's refusal; undefined when they may, or when it does not tell now
 * @throws what passes by itself
 */
export async function scriptRefusal(port: RedisPort, side: 'source' | 'target'): Promise<string | undefined> {
  const command: Command = ['EVAL', side === 'source' ? READS : WRITES, '2', DATA, INTERNAL];
  try {
    await port.call(...command);
    return undefined;
  } catch (error) {
    // A full server, or a replica, says nothing about rights.
    if (asksOf(error) === 'room' || isRedisError(error, 'readOnly')) return undefined;
    if (!(error instanceof RedisError) || error.asks === 'retry') throw error;
    return error.message;
  }
}
