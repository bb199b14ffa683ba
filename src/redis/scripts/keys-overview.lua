-- Looks over the keys named. Writes nothing.
-- KEYS the keys   ARGV[1] "full" | "quick"   ARGV[2] their kinds as the other side has seen them, or ""
-- Reply: { microseconds this took, states, times, digests, kinds } as overview.lua says
local states, times, digests, kinds = overview(KEYS, ARGV[1] == 'full', ARGV[2] ~= '' and ARGV[2] or nil)
return { micros() - started, states, times, digests, kinds }
