-- One page: scans and reads its keys in one round trip. Writes nothing.
-- ARGV[1] cursor   ARGV[2] COUNT   ARGV[3] big-key limit, bytes   ARGV[4] page limit, bytes   ARGV[5] "1": look at sizes first
-- ARGV[6] what of their use is told: "" | "FREQ" | "IDLETIME"
-- Reply: { microseconds this took, cursor, MessagePack of the keys, that of read-keys.lua }
local scanned = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local keys = scanned[2]
local entries = read_keys(keys, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6] ~= '' and ARGV[6])
local names = cmsgpack.pack(keys)
return { micros() - started, scanned[1], names, entries }
