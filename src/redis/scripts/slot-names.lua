-- The keys of whole slots of a cluster's node without their values, with types where asked. Writes nothing.
-- ARGV[1] first slot   ARGV[2] last slot   ARGV[3] keys wanted   ARGV[4] most keys of one slot
-- ARGV[5] "1": types too   ARGV[6] most bytes of all names; any number of them where it is missing
-- Reply: { microseconds this took, next slot, "" | "elsewhere" | "moving" | "down" | "large", keys, types | {} }
local keys, slot, reason = slot_keys(tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
local most = tonumber(ARGV[6])
if most then
  local bytes = 0
  for i = 1, #keys do bytes = bytes + #keys[i] end
  if bytes > most then return { micros() - started, tonumber(ARGV[1]), 'large', {}, {} } end
end
local types = {}
if ARGV[5] == '1' then
  for i = 1, #keys do types[i] = redis.call('TYPE', keys[i]).ok end
end
return { micros() - started, slot, reason, keys, types }
