-- Reads the keys named. Writes nothing.
-- KEYS the keys   ARGV[1] big-key limit, bytes   ARGV[2] page limit, bytes   ARGV[3] "1": look at sizes first
-- Reply: { microseconds this took, MessagePack of read-keys.lua }
local entries = read_keys(KEYS, tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1')
return { micros() - started, entries }
