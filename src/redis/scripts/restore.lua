-- Restores one page. Each key by itself: what is refused is told, the others are written.
-- KEYS the keys   ARGV[1] "REPLACE" or "KEEP"   ARGV[2] "ABSTTL" (servers from 5.0) or "TTL"
-- then two for each key: expiry as ms of this server's clock since 1970 (0: none), payload
-- Reply: { microseconds this took, then two for each key not written: its number (from 1), error text | "EXPIRED" }
local absolute = ARGV[2] == 'ABSTTL'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local replace = ARGV[1] == 'REPLACE' and 'REPLACE' or nil
local reply = { 0 }
local n = 1
local restore = redis.pcall
for i = 1, #KEYS do
  local expiry, payload = ARGV[2 * i + 1], ARGV[2 * i + 2]
  local done
  if expiry == '0' then
    if replace then
      done = restore('RESTORE', KEYS[i], '0', payload, 'REPLACE')
    else
      done = restore('RESTORE', KEYS[i], '0', payload)
    end
  elseif tonumber(expiry) <= now then
    done = { err = 'EXPIRED' }
  else
    local options = {}
    if replace then options[1] = 'REPLACE' end
    if absolute then options[#options + 1] = 'ABSTTL' end
    local ttl = absolute and expiry or string.format('%.0f', tonumber(expiry) - now)
    done = restore('RESTORE', KEYS[i], ttl, payload, unpack(options))
  end
  if done.err then
    reply[n + 1] = i
    reply[n + 2] = done.err
    n = n + 2
  end
end
reply[1] = micros() - started
return reply
