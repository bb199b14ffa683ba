-- Looks over the keys named. Writes nothing.
-- KEYS the keys   ARGV[1] "full" | "quick"   ARGV[2] their kinds as the other side has seen them, or ""
-- ARGV[3] … the keys where KEYS is empty: of several slots of a cluster's node, which takes no such KEYS
-- Reply: { microseconds this took, states, times, digests, kinds } as overview.lua says
local keys, apart = KEYS, false
if #keys == 0 then
  keys, apart = {}, true
  for i = 3, #ARGV do keys[i - 2] = ARGV[i] end
end
local states, times, digests, kinds = overview(keys, ARGV[1] == 'full', ARGV[2] ~= '' and ARGV[2] or nil, apart)
return { micros() - started, states, times, digests, kinds }
