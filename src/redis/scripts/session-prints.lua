-- The fingerprints of version 4 sessions as they are now. Writes nothing.
-- KEYS two for each session: data, internal   Reply: one for each: fingerprint | "" (gone)
local reply = {}
for i = 1, #KEYS, 2 do
  local data, internal = KEYS[i], KEYS[i + 1]
  if type_of(data) ~= 'hash' then
    reply[#reply + 1] = ''
  else
    local timeout = is_internal(internal) and redis.call('HGET', internal, 'SessionTimeout') or false
    reply[#reply + 1] = fingerprint(redis.call('HGETALL', data), timeout)
  end
end
return reply
