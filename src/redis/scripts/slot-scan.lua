-- Names of the keys of one slot of a cluster's node, as far as one SCAN brings them. Writes nothing.
-- ARGV[1] slot   ARGV[2] cursor   ARGV[3] COUNT
-- Reply: { microseconds this took, next cursor, "" | "elsewhere" | "moving" | "down", epoch of the node's claim to its slots,
--   keys in the slot, names }
local slot = tonumber(ARGV[1])
local reason, epoch = slot_state(slot)
if reason then return { micros() - started, '0', reason, epoch, 0, {} } end
local scanned = redis.call('SCAN', ARGV[2], 'COUNT', ARGV[3])
local names = {}
for i = 1, #scanned[2] do
  local name = scanned[2][i]
  if redis.call('CLUSTER', 'KEYSLOT', name) == slot then names[#names + 1] = name end
end
return { micros() - started, scanned[1], '', epoch, redis.call('CLUSTER', 'COUNTKEYSINSLOT', slot), names }
