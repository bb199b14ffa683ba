-- Tells which version 4 sessions there are, without reading them. Writes nothing.
-- KEYS three for each: data, lock, version 5's data
-- Reply: one for each: -1 (no hash), or 0 with 1 added where it is locked and 2 where version 5 has it
local call = redis.call
local reply = {}
for i = 1, #KEYS, 3 do
  local state = -1
  if call('TYPE', KEYS[i]).ok == 'hash' then state = call('EXISTS', KEYS[i + 1]) + 2 * call('EXISTS', KEYS[i + 2]) end
  reply[#reply + 1] = state
end
return reply
