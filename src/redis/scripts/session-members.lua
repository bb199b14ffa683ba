-- Says what keys beside a version 4 session's data are. Writes nothing.
-- KEYS three for each: the key itself, the session's data and internal   ARGV[1], ARGV[2] as in session-gather.lua
-- then one for each: "internal" | "lock" | "newer" (one of version 5's keys, which a session of version 4 replaces)
-- Reply: one for each: "member" (goes with its session) | "alone" (nothing to copy: an orphan, a lock, or replaced)
--   | "plain" (somebody else's) | "gone"
local most, bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local reply = {}
for i = 3, #ARGV do
  local k = 3 * (i - 3)
  local key, data, internal = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3]
  local role, kind = ARGV[i], type_of(key)
  local answer = 'plain'
  if kind == 'none' then
    answer = 'gone'
  else
    local session = read_session(data, internal, most, bytes)
    local is_session = session == 'session' or session == 'large'
    if role == 'newer' then
      if is_session then answer = 'alone' end
    elseif role == 'internal' then
      local own, timeout = read_internal(key)
      if own == 'own' and is_session then
        answer = 'member'
      elseif own == 'own' and session == 'gone' and string.match(timeout, '^%d+$') then
        answer = 'alone'
      end
    elseif kind == 'string' and session ~= 'plain' and call('STRLEN', key) == 18 and string.match(call('GET', key), '^%d+$') then
      -- The lock of version 4 is a time in .NET's ticks, which have 18 digits until the year 3169.
      answer = 'alone'
    end
  end
  reply[i - 2] = answer
end
return reply
