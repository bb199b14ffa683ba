import type { Command } from '../tools/odd-keys/commands';

/** Commands that read a value in every way in which a server walks it. */
export function readingCommands(type: string, key: string): Command[] {
  const common: Command[] = [
    ['OBJECT', 'ENCODING', key],
    ['DUMP', key],
    ['MEMORY', 'USAGE', key, 'SAMPLES', '0'],
  ];
  switch (type) {
    case 'string':
      return [...common, ['GET', key], ['STRLEN', key], ['BITCOUNT', key]];
    case 'list':
      return [...common, ['LRANGE', key, '0', '-1'], ['LINDEX', key, '-1'], ['LINDEX', key, '1'], ['LPOS', key, 'zz']];
    case 'set':
      return [...common, ['SMEMBERS', key], ['SISMEMBER', key, '12'], ['SRANDMEMBER', key, '-5'], ['SSCAN', key, '0']];
    case 'hash':
      return [
        ...common,
        ['HGETALL', key],
        ['HGET', key, 'zz'],
        ['HGET', key, '3'],
        ['HSCAN', key, '0'],
        ['HSTRLEN', key, 'a'],
      ];
    case 'zset':
      return [
        ...common,
        ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
        ['ZREVRANGE', key, '0', '-1', 'WITHSCORES'],
        ['ZRANGEBYSCORE', key, '-inf', '+inf'],
        ['ZRANK', key, 'zz'],
        ['ZLEXCOUNT', key, '-', '+'],
      ];
    case 'stream':
      return [
        ...common,
        ['XRANGE', key, '-', '+'],
        ['XREVRANGE', key, '+', '-'],
        ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'],
        ['XINFO', 'GROUPS', key],
        ['XPENDING', key, 'group'],
        ['XPENDING', key, 'workers', '-', '+', '10'],
      ];
    default:
      return common;
  }
}

const LONG = 'x'.repeat(100);

/** Commands that change it: also into its other encodings, and until nothing is left. */
export function changingCommands(type: string, key: string): Command[] {
  const commands = changes(type, key);
  return [...commands, ['OBJECT', 'ENCODING', key], ['DUMP', key]];
}

function changes(type: string, key: string): Command[] {
  switch (type) {
    case 'string':
      return [
        ['APPEND', key, 'more'],
        ['SETRANGE', key, '3', 'x'],
      ];
    case 'list':
      return [
        ['LINSERT', key, 'BEFORE', '1', 'inserted'],
        ['LSET', key, '0', LONG],
        ['LREM', key, '1', 'a'],
        ['RPOPLPUSH', key, key],
        ['LPUSH', key, LONG],
        ['RPUSH', key, '5'],
        ['LTRIM', key, '1', '-2'],
      ];
    case 'set':
      return [
        ['SADD', key, '77'],
        ['SREM', key, '1', 'a'],
        ['SADD', key, LONG],
        ['SPOP', key],
        ['SUNIONSTORE', `${key}:2`, key],
        ['DEL', `${key}:2`],
      ];
    case 'hash':
      return [
        ['HSET', key, 'a', '5', 'new', '6'],
        ['HDEL', key, 'b'],
        ['HINCRBY', key, 'a', '7'],
        ['HSET', key, 'long', LONG],
        ['HDEL', key, '3'],
      ];
    case 'zset':
      return [
        ['ZADD', key, '5', 'new', '-1', 'a'],
        ['ZINCRBY', key, '2', 'b'],
        ['ZREM', key, 'c'],
        ['ZADD', key, '7', LONG],
        ['ZPOPMIN', key],
        ['ZUNIONSTORE', `${key}:2`, '1', key],
        ['DEL', `${key}:2`],
        ['ZREMRANGEBYRANK', key, '0', '0'],
      ];
    case 'stream':
      return [
        ['XREADGROUP', 'GROUP', 'group', 'one', 'COUNT', '2', 'STREAMS', key, '>'],
        ['XREADGROUP', 'GROUP', 'group', 'two', 'COUNT', '2', 'STREAMS', key, '0'],
        ['XCLAIM', key, 'group', 'three', '0', '1-1', '2-2', '3-3'],
        ['XACK', key, 'group', '1-1', '3-3'],
        ['XADD', key, '*', 'a', 'b'],
        ['XDEL', key, '2-2', '1-1'],
        ['XGROUP', 'DELCONSUMER', key, 'group', 'two'],
        ['XTRIM', key, 'MAXLEN', '2'],
        ['XGROUP', 'DESTROY', key, 'group'],
        ['XTRIM', key, 'MAXLEN', '0'],
      ];
    default:
      return [];
  }
}
