-- What keys are, without their values. Writes nothing.
-- KEYS the keys
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
for i = 1, #KEYS do
  local key = KEYS[i]
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
