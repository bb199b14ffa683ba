-- Put in front of scripts that read whole keys.
-- read_keys(keys, reply, n, big, left, look): appends two entries for each key to the reply, from place n + 1:
--   expiry in ms since 1970 (-1 none, -2 or 0 gone), payload | false (gone) | 1 (big: copy by commands) | 2 (page is full: read again)
-- big: the big-key limit in bytes; left: the bytes that the page may have; look: estimate sizes by MEMORY USAGE first, so
-- that a big key is never dumped; the dump's own length decides for what the estimate misjudged.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Exact by PEXPIRETIME from 7.0, which also is when REDIS_VERSION_NUM came. Before, clocks run on inside a script, and the
-- process may be interrupted anywhere: so the clock is read right after PTTL, and both again where time has passed.
local clock = now_ms()
local function expiry_of(key)
  if redis.REDIS_VERSION_NUM then
    local at = redis.pcall('PEXPIRETIME', key)
    if type(at) == 'number' then return at end
  end
  for try = 1, 4 do
    local ttl, before = redis.call('PTTL', key), clock
    if ttl <= 0 then return ttl end
    clock = now_ms()
    if clock - before <= 2 or try == 4 then return clock + ttl end
  end
end

local function read_keys(keys, reply, n, big, left, look)
  local call = redis.call
  for i = 1, #keys do
    local key = keys[i]
    local expiry, payload = -2, false
    if left <= 0 then
      payload = 2
    else
      if look and (call('MEMORY', 'USAGE', key) or 0) > big then
        payload = 1
      else
        payload = call('DUMP', key)
        if payload then
          if #payload > big then
            payload = 1
          else
            left = left - #payload
          end
        end
      end
      if payload then expiry = expiry_of(key) end
    end
    reply[n + 1] = expiry
    reply[n + 2] = payload
    n = n + 2
  end
end
