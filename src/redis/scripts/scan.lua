-- One page's keys without their values, with types where asked. Writes nothing.
-- ARGV[1] cursor   ARGV[2] COUNT   ARGV[3] "1": types too
-- Reply: { microseconds this took, cursor, keys, types | {} }
local scanned = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local keys, types = scanned[2], {}
if ARGV[3] == '1' then
  for i = 1, #keys do types[i] = redis.call('TYPE', keys[i]).ok end
end
return { micros() - started, scanned[1], keys, types }
