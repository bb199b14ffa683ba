-- Says what keys beside a version 4 session's data are. Writes nothing.
-- KEYS three for each: the key itself, the session's data and internal   ARGV[1], ARGV[2] as in session-gather.lua
-- then one for each: "internal" | "lock" | "newer" (one of version 5's keys, which a session of version 4 replaces)
-- Reply: microseconds this took, then one for each: "member" (goes with its session) | "alone" (nothing to copy: an orphan, a lock, or replaced)
--   | "plain" (somebody else's) | "gone"
local most, bytes = tonumber(ARGV[1]), tonumber(ARGV[2])

-- "session" | "plain" | "gone". With an internal hash a hash is a session; without, its values tell.
local function data_kind(data, internal, most, bytes)
  local kind = type_of(data)
  if kind == 'none' then return 'gone' end
  if kind ~= 'hash' then return 'plain' end
  if read_internal(internal) == 'own' then return 'session' end
  kind = read_session(data, internal, most, bytes)
  return kind == 'large' and 'session' or kind
end

local reply = { 0 }
for i = 3, #ARGV do
  local k = 3 * (i - 3)
  local key, data, internal = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3]
  local role = ARGV[i]
  local answer = 'plain'
  if role == 'internal' then
    local own, timeout = read_internal(key)
    if own == 'none' then
      answer = 'gone'
    elseif own == 'own' then
      local kind = type_of(data)
      if kind == 'hash' then
        answer = 'member'
      elseif kind == 'none' and string.match(timeout, '^%d+$') then
        answer = 'alone'
      end
    end
  else
    local kind = type_of(key)
    local session = kind ~= 'none' and data_kind(data, internal, most, bytes)
    if kind == 'none' then
      answer = 'gone'
    elseif role == 'newer' then
      if session == 'session' then answer = 'alone' end
    elseif kind == 'string' and session ~= 'plain' and call('STRLEN', key) == 18 and string.match(call('GET', key), '^%d+$') then
      -- The lock of version 4 is a time in .NET's ticks, which have 18 digits until the year 3169.
      answer = 'alone'
    end
  end
  reply[i - 1] = answer
end
reply[1] = micros() - started
return reply
