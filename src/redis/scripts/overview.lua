-- Put in front of scripts that look over many keys at once.
-- overview(keys, full, kinds, apart): states, times, digests, kinds
--   apart    they are of several slots: no command may name two of them
--   kinds    a character a key for its type: "s"tring, "l"ist, "S"et, "z"set, "h"ash, strea"m", "?" others
--            and those left out, "-" gone; given, they are what the other side has seen and need not be asked for
--   states   a character a key: "0" gone, "1" there, "2" there with an expiry; "3" and "4" the same of a key whose value
--            this look left out: large, fields that expire, or the call was long enough
--   times    MessagePack of an array with one number for each key with an expiry: when, in ms of this server's clock since 1970
--   digests  for each GROUP keys 16 hex digits over their types and values; not full: over types and lengths. Hashes of short
--            fields go in as they lie and sets as this server sorts them, so that equal values may make different digests, but
--            never different ones the same: what differs must be looked at closely.
local GROUP = 16
local LARGE_BYTES, LARGE_COUNT, RAW_TEXT = 65536, 128, 64
-- Numbers as texts: a server makes texts of a script's numbers at each call, which costs more than the call.
local FIRST, LAST, LAST_BYTE = '0', '-1', tostring(LARGE_BYTES - 1)
local MOST_BYTES = 1048576
-- A longer text goes in as its own fingerprint: Lua looks at every byte of each text that it makes, packed ones too.
local LONG_TEXT = 2048
local pack = cmsgpack.pack

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- PEXPIRETIME came with 7.0, and so did REDIS_VERSION_NUM. Before, the clock runs on inside a script: it is read every few
-- keys, and where it jumped (the process was interrupted) the keys in between are asked again one by one.
local has_expiretime, ask
local function look_for_expiretime(keys)
  has_expiretime = redis.REDIS_VERSION_NUM and keys[1] and type(try('PEXPIRETIME', keys[1])) == 'number'
  ask = has_expiretime and 'PEXPIRETIME' or 'PTTL'
end
local JUMP_MS = 5

local function slow_expiry_of(key)
  for round = 1, 5 do
    local before, ttl = now_ms(), call('PTTL', key)
    if ttl <= 0 then return 0 end
    local after = now_ms()
    if after - before <= JUMP_MS or round == 5 then return after + ttl end
  end
end

local codes = { string = 's', list = 'l', set = 'S', zset = 'z', hash = 'h', stream = 'm', none = '-' }
local lengths = { s = 'STRLEN', l = 'LLEN', S = 'SCARD', z = 'ZCARD', h = 'HLEN', m = 'XLEN' }

-- Whether a value is small enough to be taken whole. Its bytes are asked for, its parts only where MEMORY is not allowed.
local sizes_allowed = true
local function is_small(key, count)
  if sizes_allowed then
    local size = try('MEMORY', 'USAGE', key)
    if type(size) == 'number' then return size <= LARGE_BYTES end
    sizes_allowed = type(size) ~= 'table'
  end
  local parts = try(count, key)
  return type(parts) == 'number' and parts <= LARGE_COUNT
end

-- Each gives the value as pack takes it, or nothing where it is too much or of another type.
local readers = {}
readers.s = function(key)
  local text = try('GETRANGE', key, FIRST, LAST_BYTE)
  if type(text) == 'string' and #text < LARGE_BYTES then return text end
end
readers.l = function(key)
  if not is_small(key, 'LLEN') then return end
  local items = try('LRANGE', key, FIRST, LAST)
  if not items.err then return items end
end
readers.S = function(key)
  if not is_small(key, 'SCARD') then return end
  local members = try('SMEMBERS', key)
  if members.err then return end
  table.sort(members)
  return members
end
readers.z = function(key)
  if not is_small(key, 'ZCARD') then return end
  local flat = try('ZRANGE', key, FIRST, LAST, 'WITHSCORES')
  if flat.err then return end
  for i = 2, #flat, 2 do
    local score = tonumber(flat[i])
    if score < math.huge and score > -math.huge then flat[i] = score + 0 end
  end
  return flat
end
readers.h = function(key)
  if not is_small(key, 'HLEN') then return end
  local flat = try('HGETALL', key)
  if flat.err or expiring_fields(key, flat) > 0 then return end
  local raw = true
  for i = 1, #flat do
    if #flat[i] > RAW_TEXT then
      raw = false
      break
    end
  end
  if raw then return flat end
  local values, names = {}, {}
  for i = 1, #flat, 2 do
    names[#names + 1] = flat[i]
    values[flat[i]] = flat[i + 1]
  end
  table.sort(names)
  for i = 1, #names do names[i + #flat / 2] = values[names[i]] end
  return names
end
readers.m = function(key)
  if not is_small(key, 'XLEN') then return end
  local entries = try('XRANGE', key, '-', '+')
  if entries.err then return end
  local facts, groups = stream_facts(key)
  local parts = { facts, entries }
  for _, group in ipairs(groups) do
    local pending = call('XPENDING', key, field(group, 'name'), '-', '+', LARGE_COUNT + 1)
    if #pending > LARGE_COUNT then return end
    -- How long an entry is pending is another number at each look.
    for i = 1, #pending do pending[i][3] = 0 end
    parts[#parts + 1] = pending
  end
  return parts
end

-- The values of short strings among keys first … last; false for anything else.
local function short_strings(keys, first, last, kinds)
  local asked, places, texts = {}, {}, {}
  for i = first, last do
    if kinds:byte(i) == 115 then
      asked[#asked + 1] = keys[i]
      places[#places + 1] = i
    end
  end
  if #asked == 0 then return texts end
  local replies = try('MGET', unpack(asked))
  if replies.err then return texts end
  for i = 1, #places do texts[places[i]] = replies[i] or nil end
  return texts
end

local function overview(keys, full, given, apart)
  look_for_expiretime(keys)
  local states, times, digests, kinds = {}, {}, {}, {}
  local left = MOST_BYTES
  for first = 1, #keys, GROUP do
    local last = math.min(first + GROUP - 1, #keys)
    local texts = full and given and not apart and short_strings(keys, first, last, given) or {}
    local parts, expiries, expiring = {}, {}, false
    local clock = not has_expiretime and now_ms()
    for i = first, last do
      local expiry = call(ask, keys[i])
      expiries[i] = expiry
      if expiry > 0 then expiring = true end
    end
    if expiring and clock then
      local jumped = now_ms() - clock > JUMP_MS
      for i = first, last do
        if expiries[i] > 0 then expiries[i] = jumped and slow_expiry_of(keys[i]) or clock + expiries[i] end
      end
    end
    for i = first, last do
      local key, state, kind, part = keys[i], '0', '-', ''
      local expiry = expiries[i]
      if expiry == -1 or expiry > 0 then
        kind = given and given:sub(i, i) or codes[call('TYPE', key).ok] or '?'
        if not full then
          if given then kind = codes[call('TYPE', key).ok] or '?' end
          part = lengths[kind] and call(lengths[kind], key) or ''
        elseif left <= 0 or not readers[kind] then
          part = nil
        else
          part = texts[i] or readers[kind](key)
        end
        if not part then kind = '?' end
        if type(part) == 'string' and #part > LONG_TEXT then
          left = left - #part
          -- In a table, so that no text is taken for another one's fingerprint.
          part = { sha1(part) }
        end
        if expiry == -1 then
          state = part and '1' or '3'
        else
          state = part and '2' or '4'
          times[#times + 1] = expiry
        end
      end
      states[i], kinds[i] = state, kind
      local place = 2 * (i - first) + 1
      parts[place], parts[place + 1] = kind, part or ''
    end
    local packed = pack(parts)
    left = left - #packed
    digests[#digests + 1] = sub(sha1(packed), 1, 16)
  end
  return concat(states), pack(times), concat(digests), concat(kinds)
end
