-- What keys are, without their values. Writes nothing.
-- KEYS the keys   ARGV the keys where KEYS is empty: of several slots of a cluster's node, which takes no such KEYS
-- Reply: microseconds this took, this server's clock in ms since 1970 before and after, and MessagePack of an array with three entries for
--   each key: its type; 0 gone, 1 without an expiry, otherwise 2 and the ms until it expires; 0 or 1 and its length (bytes of a string,
--   parts of anything else, none of types of modules)
local call = redis.call
local lengths = { string = 'STRLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD', hash = 'HLEN', stream = 'XLEN' }

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local before = now_ms()
local facts = {}
local keys = #KEYS > 0 and KEYS or ARGV
for i = 1, #keys do
  local key = keys[i]
  local ttl = call('PTTL', key)
  local type, expiry, length = 'none', 0, 0
  if ttl > 0 or ttl == -1 then
    type = call('TYPE', key).ok
    if type ~= 'none' then
      expiry = ttl + 2
      if lengths[type] then length = call(lengths[type], key) + 1 end
    end
  end
  facts[3 * i - 2], facts[3 * i - 1], facts[3 * i] = type, expiry, length
end
local after = now_ms()
return { micros() - started, before, after, cmsgpack.pack(facts) }
