-- One page: scans and reads its keys in one round trip. Writes nothing.
-- ARGV[1] cursor   ARGV[2] COUNT   ARGV[3] big-key limit, bytes   ARGV[4] page limit, bytes   ARGV[5] "1": look at sizes first
-- Reply: { cursor, {seconds, microseconds} of the server, microseconds this took, keys, then two for each key:
--   PTTL in ms (-1 none, -2 gone), payload | false (gone) | 1 (big: copy by commands) | 2 (page is full: read again) }
-- MEMORY USAGE estimates the size, so that a big key is never dumped; the dump's own length decides for what it misjudged.
local started = redis.call('TIME')
local scanned = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local keys = scanned[2]
local big, left, look = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local reply = { scanned[1], started, 0, keys }
local n = 4
for i = 1, #keys do
  local key = keys[i]
  local ttl, payload = -2, false
  if left <= 0 then
    payload = 2
  else
    if look and (redis.call('MEMORY', 'USAGE', key) or 0) > big then
      payload = 1
    else
      payload = redis.call('DUMP', key)
      if payload and #payload > big then
        payload = 1
      elseif payload then
        left = left - #payload
      end
    end
    if payload then ttl = redis.call('PTTL', key) end
  end
  reply[n + 1] = ttl
  reply[n + 2] = payload
  n = n + 2
end
local ended = redis.call('TIME')
reply[3] = (ended[1] - started[1]) * 1000000 + (ended[2] - started[2])
return reply
