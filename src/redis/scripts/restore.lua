-- Restores one page. Each key by itself: what is refused is told, the others are written.
-- KEYS the keys   ARGV[1] "REPLACE" or "KEEP"   ARGV[2] "ABSTTL" (servers from 5.0) or "TTL"
-- then two for each key: expiry as ms of this server's clock since 1970 (0: none), payload
-- Reply: { microseconds this took, then two for each key not written: its number (from 1), error text | "EXPIRED" }
-- Before 5.0 a script may write after TIME only when its effects are replicated.
local absolute = ARGV[2] == 'ABSTTL'
if not absolute and redis.replicate_commands then redis.replicate_commands() end
local started = redis.call('TIME')
local now = started[1] * 1000 + math.floor(started[2] / 1000)
local replace = ARGV[1] == 'REPLACE'
local reply = { 0 }
local n = 1
for i = 1, #KEYS do
  local expiry, payload = ARGV[2 * i + 1], ARGV[2 * i + 2]
  local done
  if expiry == '0' then
    if replace then
      done = redis.pcall('RESTORE', KEYS[i], '0', payload, 'REPLACE')
    else
      done = redis.pcall('RESTORE', KEYS[i], '0', payload)
    end
  elseif tonumber(expiry) <= now then
    done = { err = 'EXPIRED' }
  else
    local ttl, flag = expiry, 'ABSTTL'
    if not absolute then ttl, flag = string.format('%.0f', tonumber(expiry) - now), nil end
    if replace and flag then
      done = redis.pcall('RESTORE', KEYS[i], ttl, payload, 'REPLACE', flag)
    elseif replace then
      done = redis.pcall('RESTORE', KEYS[i], ttl, payload, 'REPLACE')
    elseif flag then
      done = redis.pcall('RESTORE', KEYS[i], ttl, payload, flag)
    else
      done = redis.pcall('RESTORE', KEYS[i], ttl, payload)
    end
  end
  if done.err then
    reply[n + 1] = i
    reply[n + 2] = done.err
    n = n + 2
  end
end
local ended = redis.call('TIME')
reply[1] = (ended[1] - started[1]) * 1000000 + (ended[2] - started[2])
return reply
