-- Put in front of scripts that look over many keys at once.
-- overview(keys, full): states, times, digests
--   states   a character a key: "0" gone, "1" there, "2" there with an expiry; "3" and "4" the same of a key whose value
--            this look left out: large, a stream, fields that expire, or the call was long enough
--   times    for each key with an expiry, 8 bytes: when, in ms of this server's clock since 1970 (a double, big endian)
--   digests  for each GROUP keys 16 hex digits over their types and values; not full: over types and lengths. Hashes of few
--            short fields go in as they lie, so another order makes another digest: what differs must be looked at closely.
local GROUP = 16
local LARGE_TEXT, LARGE_COUNT, RAW_TEXT = 65536, 128, 64
local MOST_BYTES = 1048576

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- PEXPIRETIME came with 7.0, and so did REDIS_VERSION_NUM. Before, clocks run on inside a script: read often enough.
local has_expiretime = redis.REDIS_VERSION_NUM and type(try('PEXPIRETIME', '')) == 'number'
local KEYS_A_CLOCK = 32

local lengths = { string = 'STRLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD', hash = 'HLEN', stream = 'XLEN' }

local function is_raw(flat)
  for i = 1, #flat do if #flat[i] > RAW_TEXT then return false end end
  return true
end

-- Each gives the value's bytes for the digest, or nothing where they are too many.
local readers = {}
readers.string = function(key)
  local text = call('GETRANGE', key, 0, LARGE_TEXT - 1)
  if #text < LARGE_TEXT then return text end
end
readers.list = function(key)
  if call('LLEN', key) > LARGE_COUNT then return end
  return joined(call('LRANGE', key, 0, -1))
end
readers.set = function(key)
  if call('SCARD', key) > LARGE_COUNT then return end
  return format('%.0f', sum_of_members(call('SMEMBERS', key)))
end
readers.zset = function(key)
  if call('ZCARD', key) > LARGE_COUNT then return end
  return joined(scored(call('ZRANGE', key, 0, -1, 'WITHSCORES')))
end
readers.hash = function(key)
  if call('HLEN', key) > LARGE_COUNT then return end
  local flat = call('HGETALL', key)
  if expiring_fields(key, flat) > 0 then return end
  return is_raw(flat) and joined(flat) or format('%.0f', sum_of_fields(flat))
end

local function overview(keys, full)
  local states, times, digests, parts = {}, {}, {}, {}
  local left = MOST_BYTES
  local ask = has_expiretime and 'PEXPIRETIME' or 'PTTL'
  local clock = 0
  for i = 1, #keys do
    local key = keys[i]
    local kind = call('TYPE', key).ok
    local state, part = '0', '-'
    if kind ~= 'none' then
      if not full then
        part = lengths[kind] and call(lengths[kind], key) or ''
      elseif left > 0 and readers[kind] then
        part = readers[kind](key)
        if part then left = left - #part end
      else
        part = nil
      end
      if not has_expiretime and (i - 1) % KEYS_A_CLOCK == 0 or clock == 0 then clock = now_ms() end
      local expiry = call(ask, key)
      if expiry == -1 then
        state = part and '1' or '3'
      elseif expiry > 0 then
        state = part and '2' or '4'
        times[#times + 1] = struct.pack('>d', has_expiretime and expiry or clock + expiry)
      else
        kind, part = 'none', '-'
      end
      part = part or ''
    end
    states[i] = state
    -- The length keeps two keys' parts from running into each other.
    parts[#parts + 1] = kind .. #tostring(part) .. ':' .. part
    if i % GROUP == 0 or i == #keys then
      digests[#digests + 1] = sub(sha1(concat(parts)), 1, 16)
      parts = {}
    end
  end
  return concat(states), concat(times), concat(digests)
end
