-- Tells whether version 4 sessions have changed since they were read. Writes nothing.
-- Version 4 gives a session its whole timeout anew in the same script that changes it. So a session is as it was when its
-- expiry and its timeout are; where that cannot be known, its values are looked at.
-- KEYS two for each session: data, internal
-- ARGV two for each: the expiry that was read ("": the values must be looked at), and the timeout
-- Reply: one for each: "same", or what it is now: fingerprint | "gone" | "plain"
local NEAR = 2
local reply = {}
for i = 1, #KEYS, 2 do
  local data, internal, expiry, timeout = KEYS[i], KEYS[i + 1], tonumber(ARGV[i]), ARGV[i + 1]
  if expiry and math.abs(expiry_of(data) - expiry) <= NEAR and try('HGET', internal, 'SessionTimeout') == timeout then
    reply[#reply + 1] = 'same'
  else
    local state, now, fields = read_again(data, internal)
    reply[#reply + 1] = fields and fingerprint(fields, now) or state
  end
end
return reply
