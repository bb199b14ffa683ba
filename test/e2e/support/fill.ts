import type { Side } from '../../tools/stage';

const MIXED = `
local from, to, prefix, ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
for i = from, to - 1 do
  local key, kind = prefix .. i, i % 10
  if kind == 0 then
    for f = 1, 4 do redis.call('HSET', key, 'field' .. f, 'value' .. i * f) end
  elseif kind == 1 then redis.call('RPUSH', key, i, 'two', 'three')
  elseif kind == 2 then redis.call('SADD', key, i, i + 1, 'member')
  elseif kind == 3 then redis.call('ZADD', key, i, 'a', i / 7, 'b')
  else redis.call('SET', key, 'value of ' .. i) end
  if ttl > 0 then redis.call('PEXPIRE', key, ttl) end
end`;

export interface FillOptions {
  readonly database?: number;
  /** In front of the keys' numbers; the keys are `<prefix>0` to `<prefix><count - 1>`. */
  readonly prefix?: string;
  readonly from?: number;
  /** Milliseconds to live; none when left out. */
  readonly ttl?: number;
}

const CHUNK = 5_000;

/** Fills a server with small keys: 10 % each of hashes, lists, sets, sorted sets, the rest strings. */
export async function fill({ client }: Side, count: number, options: FillOptions = {}): Promise<void> {
  const { database = 0, prefix = 'key:', from = 0, ttl = 0 } = options;
  await client.select(database);
  for (let at = from; at < from + count; at += CHUNK) {
    await client.eval(MIXED, 0, at, Math.min(at + CHUNK, from + count), prefix, ttl);
  }
  await client.select(0);
}
