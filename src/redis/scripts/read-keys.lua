-- Put in front of scripts that read whole keys.
-- read_keys(keys, big, left, look, use): MessagePack of an array with two entries for each key, or three where use is given:
--   expiry in ms since 1970 (-1 none, -2 or 0 gone), payload | false (gone) | 1 (copy by commands: big, or of a type that DUMP gives
--   nothing of) | 2 (page is full: read again) | 3 (this node of a cluster does not have it: its slot is on its way, or is another one's),
--   what OBJECT FREQ or IDLETIME (use) says before the key is dumped, which counts as a use; -1 where it says nothing
-- One string, because a reply of many short ones costs the reader several times as much.
-- big: the big-key limit in bytes; left: the bytes that the page may have; look: estimate sizes by MEMORY USAGE first, so
-- that a big key is never dumped; the dump's own length decides for what the estimate misjudged.
local call = redis.call
local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- PEXPIRETIME is exact; it came with 7.0, and so did REDIS_VERSION_NUM. Before, PTTL is all there is and clocks run on
-- inside a script, so the clock is read again every few keys; where it jumped (the process was interrupted), the keys in
-- between are asked again one by one.
local has_expiretime = redis.REDIS_VERSION_NUM ~= nil
local KEYS_A_CLOCK, JUMP_MS = 32, 1
local clock = now_ms()

local function slow_expiry_of(key)
  for try = 1, 5 do
    local before, ttl = now_ms(), call('PTTL', key)
    if ttl <= 0 then return ttl end
    local after = now_ms()
    if after - before <= JUMP_MS or try == 5 then return after + ttl end
  end
end

-- Makes the TTLs of keys first … last absolute.
local function settle_clock(keys, entries, width, first, last)
  local after = now_ms()
  local jumped = after - clock > JUMP_MS
  for i = first, last do
    local place = width * (i - 1) + 1
    local ttl = entries[place]
    if ttl > 0 then entries[place] = jumped and slow_expiry_of(keys[i]) or clock + ttl end
  end
  clock = now_ms()
end

-- One such key is not to keep all others from being read.
local function is_elsewhere(told)
  local words = type(told) == 'table' and told.err
  return words and (string.find(words, 'non local key', 1, true) or string.find(words, 'same slot', 1, true)) ~= nil
end

-- redis.pcall, but for keys that are elsewhere, fails as redis.call does.
local function tried(command, ...)
  local told = redis.pcall(command, ...)
  if type(told) == 'table' and told.err and not is_elsewhere(told) then return call(command, ...) end
  return told
end

local function read_keys(keys, big, left, look, use)
  local entries = {}
  -- A user may lack the right to it; tried on a key that may be asked for.
  if #keys > 0 then has_expiretime = has_expiretime and type(redis.pcall('PEXPIRETIME', keys[1])) == 'number' end
  local ask = has_expiretime and 'PEXPIRETIME' or 'PTTL'
  local settled, width = 0, use and 3 or 2
  for i = 1, #keys do
    local key = keys[i]
    local expiry, payload = -2, false
    local place = width * (i - 1) + 1
    if use and left > 0 then
      local told = redis.pcall('OBJECT', use, key)
      entries[place + 2] = type(told) == 'number' and told or -1
    elseif use then
      entries[place + 2] = -1
    end
    if left <= 0 then
      payload = 2
    else
      local size = look and tried('MEMORY', 'USAGE', key) or 0
      if is_elsewhere(size) then
        payload = 3
      elseif size > big then
        payload = 1
      else
        payload = tried('DUMP', key)
        if is_elsewhere(payload) then
          payload = 3
        elseif payload and #payload > big then
          payload = 1
        elseif payload then
          left = left - #payload
        elseif call(ask, key) ~= -2 then
          payload = 1
        end
      end
    end
    if payload and payload ~= 2 and payload ~= 3 then expiry = call(ask, key) end
    entries[place] = expiry
    entries[place + 1] = payload
    if not has_expiretime and (i % KEYS_A_CLOCK == 0 or i == #keys) then
      settle_clock(keys, entries, width, settled + 1, i)
      settled = i
    end
  end
  return cmsgpack.pack(entries)
end
