-- One page: scans and looks over its keys in one round trip. Writes nothing.
-- ARGV[1] cursor   ARGV[2] COUNT   ARGV[3] "full" | "quick"
-- Reply: { cursor, microseconds this took, MessagePack of the keys, states, times, digests, kinds } as overview.lua says
local scanned = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local states, times, digests, kinds = overview(scanned[2], ARGV[3] == 'full')
return { scanned[1], micros() - started, pack(scanned[2]), states, times, digests, kinds }
