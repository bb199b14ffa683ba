-- Reads the keys named. Writes nothing.
-- KEYS the keys   ARGV[1] big-key limit, bytes   ARGV[2] page limit, bytes   ARGV[3] "1": look at sizes first
-- Reply: { microseconds this took, entries of read-keys.lua … }
local reply = { 0 }
read_keys(KEYS, reply, 1, tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1')
reply[1] = micros() - started
return reply
