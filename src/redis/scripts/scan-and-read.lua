-- One page: scans and reads its keys in one round trip. Writes nothing.
-- ARGV[1] cursor   ARGV[2] COUNT   ARGV[3] big-key limit, bytes   ARGV[4] page limit, bytes   ARGV[5] "1": look at sizes first
-- Reply: { cursor, microseconds this took, keys, entries of read-keys.lua … }
local scanned = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local reply = { scanned[1], 0, scanned[2] }
read_keys(scanned[2], reply, 3, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1')
reply[2] = micros() - started
return reply
