-- What keys are, without their values. Writes nothing.
-- KEYS the keys   ARGV[1] "1": estimate bytes by MEMORY USAGE   ARGV[2] "1": look for expiries of hash fields
-- ARGV[3] big-key limit, bytes: beyond it no value is looked into
-- ARGV[4] … the keys where KEYS is empty: of several slots of a cluster's node, which takes no such KEYS
-- Reply: microseconds this took, then for each key five entries: type, encoding, ms until it expires (-1 never, -2 gone), bytes (-1 not asked),
--   1 where hash fields have expiries of their own
local call = redis.call
local ask_bytes, ask_fields, big = ARGV[1] == '1', ARGV[2] == '1', tonumber(ARGV[3])

-- The first byte of what DUMP writes is the type on disk; these are the hashes with expiries of fields:
-- Redis 7.4 before its release and since, Valkey 9.
local with_field_expiries = { [22] = true, [23] = true, [24] = true, [25] = true }

local keys = KEYS
if #keys == 0 then
  keys = {}
  for i = 4, #ARGV do keys[i - 3] = ARGV[i] end
end

local reply = { 0 }
for i = 1, #keys do
  local key = keys[i]
  local type = call('TYPE', key).ok
  local encoding, ttl, bytes, fields = '', -2, -1, 0
  if type ~= 'none' then
    local object = redis.pcall('OBJECT', 'ENCODING', key)
    if object and not object.err then encoding = object end
    ttl = call('PTTL', key)
    if ask_bytes then bytes = call('MEMORY', 'USAGE', key) or 0 end
    if ask_fields and type == 'hash' and encoding ~= 'listpack' and bytes <= big then
      local dump = call('DUMP', key)
      if dump and with_field_expiries[string.byte(dump, 1)] then fields = 1 end
    end
  end
  local n = 5 * i + 1
  reply[n - 4], reply[n - 3], reply[n - 2], reply[n - 1], reply[n] = type, encoding, ttl, bytes, fields
end
reply[1] = micros() - started
return reply
