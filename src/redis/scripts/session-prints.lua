-- The fingerprints of version 4 sessions as they are now. Writes nothing.
-- KEYS two for each session: data, internal   ARGV[1], ARGV[2] as in session-gather.lua
-- Reply: one for each: fingerprint | "gone" | "plain" | "large"
local most, bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local reply = {}
for i = 1, #KEYS, 2 do
  local state, timeout, fields = read_session(KEYS[i], KEYS[i + 1], most, bytes)
  reply[#reply + 1] = state == 'session' and fingerprint(fields, timeout) or state
end
return reply
