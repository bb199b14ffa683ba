-- One page: scans and looks over its keys in one round trip. Writes nothing.
-- ARGV[1] cursor   ARGV[2] COUNT   ARGV[3] "full" | "quick"
-- Reply: { microseconds this took, cursor, MessagePack of the keys, states, times, digests, kinds } as overview.lua says
local scanned = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local states, times, digests, kinds = overview(scanned[2], ARGV[3] == 'full')
return { micros() - started, scanned[1], pack(scanned[2]), states, times, digests, kinds }
