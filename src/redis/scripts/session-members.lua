-- Says what the internal hashes and locks of version 4 sessions are. Writes nothing.
-- KEYS two for each: the key itself, the session's data   ARGV one for each: "internal" | "lock"
-- Reply: one for each: "member" (goes with its session) | "alone" (no session any more: nothing to copy) | "plain" | "gone"
local reply = {}
for i = 1, #ARGV do
  local key, data = KEYS[2 * i - 1], KEYS[2 * i]
  local kind, data_kind = type_of(key), type_of(data)
  local answer = 'plain'
  if kind == 'none' then
    answer = 'gone'
  elseif data_kind ~= 'none' and data_kind ~= 'hash' then
    answer = 'plain'
  elseif ARGV[i] == 'internal' and is_internal(key) then
    answer = data_kind == 'hash' and 'member' or 'alone'
  elseif ARGV[i] == 'lock' and kind == 'string' and string.match(redis.call('GETRANGE', key, 0, 30), '^%d+$') then
    answer = 'alone'
  end
  reply[i] = answer
end
return reply
