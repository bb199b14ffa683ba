-- Reads the keys named. Writes nothing.
-- KEYS the keys   ARGV[1] big-key limit, bytes   ARGV[2] page limit, bytes   ARGV[3] "1": look at sizes first
-- Reply: { {seconds, microseconds} of the server, microseconds this took, then two for each key, as in scan-and-read }
local started = redis.call('TIME')
local big, left, look = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local reply = { started, 0 }
local n = 2
for i = 1, #KEYS do
  local key = KEYS[i]
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
reply[2] = (ended[1] - started[1]) * 1000000 + (ended[2] - started[2])
return reply
