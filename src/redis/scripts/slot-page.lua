-- One page of a cluster's node: the keys of whole slots with their values, in one round trip. Writes nothing.
-- ARGV[1] first slot   ARGV[2] last slot   ARGV[3] keys wanted   ARGV[4] most keys of one slot
-- ARGV[5] big-key limit, bytes   ARGV[6] page limit, bytes   ARGV[7] "1": look at sizes first
-- ARGV[8] what of their use is told: "" | "FREQ" | "IDLETIME"
-- Reply: { microseconds this took, next slot, "" | "elsewhere" | "moving" | "down" | "large", MessagePack of the keys, that of read-keys.lua }
local keys, slot, reason = slot_keys(tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
local entries = read_keys(keys, tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1', ARGV[8] ~= '' and ARGV[8])
local names = cmsgpack.pack(keys)
return { micros() - started, slot, reason, names, entries }
