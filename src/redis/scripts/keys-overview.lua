-- Looks over the keys named. Writes nothing.
-- KEYS the keys   ARGV[1] "full" | "quick"
-- Reply: { microseconds this took, states, times, digests } as overview.lua says
local states, times, digests = overview(KEYS, ARGV[1] == 'full')
return { micros() - started, states, times, digests }
