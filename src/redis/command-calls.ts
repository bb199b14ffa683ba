/**
 * Commands that leave keys as they are: those without the flag "write" in COMMAND of Redis 6.0.16, 7.0.15, 8.0.2 and
 * Valkey 8.1.1, but DEBUG, REPLICAOF and SLAVEOF, which change keys without it. A container stands for its
 * sub-commands. EVAL, FCALL and EXEC are here since what they call is counted by itself.
 */
const LEAVE_KEYS: ReadonlySet<string> = new Set(
  (
    'acl asking auth bgrewriteaof bgsave bitcount bitfield_ro bitpos client cluster command commandlog config dbsize ' +
    'discard dump echo eval eval_ro evalsha evalsha_ro exec exists expiretime failover fcall fcall_ro function geodist ' +
    'geohash geopos georadius_ro georadiusbymember_ro geosearch get getbit getrange hello hexists hexpiretime hget ' +
    'hgetall hkeys hlen hmget host: hpexpiretime hpttl hrandfield hscan hstrlen httl hvals info keys lastsave latency ' +
    'lcs lindex llen lolwut lpos lrange memory mget module monitor multi object pexpiretime pfcount pfselftest ping ' +
    'post psubscribe psync pttl publish pubsub punsubscribe quit randomkey readonly readwrite replconf reset role save ' +
    'scan scard script sdiff select shutdown sinter sintercard sismember slowlog smembers smismember sort_ro spublish ' +
    'srandmember sscan ssubscribe stralgo strlen subscribe substr sunion sunsubscribe sync time touch ttl type ' +
    'unsubscribe unwatch vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vsim wait waitaof watch xinfo xlen ' +
    'xpending xrange xread xrevrange zcard zcount zdiff zinter zintercard zlexcount zmscore zrandmember zrange ' +
    'zrangebylex zrangebyscore zrank zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion'
  ).split(' '),
);

/** Whether a command may change keys, by its name as a server tells it ("set", "xgroup|create"). What it calls counts as well. */
export function mayChangeKeys(command: string): boolean {
  const [container = ''] = command.toLowerCase().split('|');
  return CALLS_OTHERS.has(container) || !LEAVE_KEYS.has(container);
}

const CALLS_OTHERS: ReadonlySet<string> = new Set(['eval', 'evalsha', 'exec', 'fcall', 'multi']);

/**
 * How often each command was called that may change keys, by its name in small letters ("set", "xgroup|create"), from the
 * text of INFO commandstats. Commands that are not known (of modules, of newer servers) may change keys. Undefined where
 * the text has no such section.
 */
export function changingCalls(info: string): Record<string, number> | undefined {
  const lines = [...info.matchAll(/^cmdstat_([^\r\n]+?):calls=(\d+)/gm)];
  // Without a line there is no telling: INFO itself has been called.
  if (lines.length === 0) return undefined;
  const calls: Record<string, number> = {};
  for (const [, name = '', count] of lines) {
    const command = name.toLowerCase();
    const [container = ''] = command.split('|');
    if (!LEAVE_KEYS.has(container)) calls[command] = Number(count);
  }
  return calls;
}
