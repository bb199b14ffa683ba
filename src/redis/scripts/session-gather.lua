-- Reads version 4 sessions whole, each at one moment. Writes nothing.
-- KEYS four for each session: data, internal, lock, version 5's data
-- ARGV[1] items that a session may have   ARGV[2] bytes that its hash may have (0: not looked at)
-- Reply: { {seconds, microseconds} of the server's clock, then one for each session:
--   "gone" | "plain" (no session) | "newer" (version 5 has it) | "large"
--   | { PTTL in ms, "1" if locked, SessionTimeout | "", fingerprint, field, value, field, value … } }
local most, bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local reply = { redis.call('TIME') }
for i = 1, #KEYS, 4 do
  local data, internal, lock, newer = KEYS[i], KEYS[i + 1], KEYS[i + 2], KEYS[i + 3]
  local kind, internal_kind = type_of(data), type_of(internal)
  local answer
  if kind == 'none' then
    answer = 'gone'
  elseif kind ~= 'hash' or (internal_kind ~= 'none' and not is_internal(internal)) then
    answer = 'plain'
  elseif redis.call('EXISTS', newer) == 1 then
    answer = 'newer'
  elseif redis.call('HLEN', data) > most or (bytes > 0 and redis.call('MEMORY', 'USAGE', data) > bytes) then
    answer = 'large'
  else
    local fields = redis.call('HGETALL', data)
    local timeout = internal_kind == 'hash' and redis.call('HGET', internal, 'SessionTimeout') or false
    answer = { redis.call('PTTL', data), tostring(redis.call('EXISTS', lock)), timeout or '', fingerprint(fields, timeout) }
    for j = 1, #fields do answer[4 + j] = fields[j] end
  end
  reply[#reply + 1] = answer
end
return reply
