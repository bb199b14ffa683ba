-- Reads the keys named. Writes nothing.
-- KEYS the keys   ARGV[1] big-key limit, bytes   ARGV[2] page limit, bytes   ARGV[3] "1": look at sizes first
-- ARGV[4] what of their use is told: "" | "FREQ" | "IDLETIME"
-- ARGV[5] … the keys where KEYS is empty: of several slots of a cluster's node, which takes no such KEYS
-- Reply: { microseconds this took, MessagePack of read-keys.lua }
local keys = KEYS
if #keys == 0 then
  keys = {}
  for i = 5, #ARGV do keys[i - 4] = ARGV[i] end
end
local entries = read_keys(keys, tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4] ~= '' and ARGV[4])
return { micros() - started, entries }
