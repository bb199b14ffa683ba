-- Put, behind expiry.lua, in front of scripts that look at ASP.NET sessions of version 4.
-- How every value of BinaryFormatter begins.
local STREAM = '\0\1\0\0\0\255\255\255\255\1\0\0\0\0\0\0\0'

local function type_of(key) return call('TYPE', key).ok end

-- Version 4's internal hash has one field. Another key of that name is somebody else's.
-- Returns "own" | "none" | "other", and the timeout or false.
local function read_internal(key)
  local timeout = try('HGET', key, 'SessionTimeout')
  if type(timeout) == 'string' and call('HLEN', key) == 1 then return 'own', timeout end
  if timeout == false and call('EXISTS', key) == 0 then return 'none', false end
  return 'other', false
end

local function has_stream(fields)
  for i = 2, #fields, 2 do
    if string.sub(fields[i], 1, #STREAM) == STREAM then return true end
  end
  return false
end

-- What a key of a session's data is: "gone" | "plain" (no session: it has no internal hash and no value of BinaryFormatter)
-- | "session". Of a session also its timeout or false, and its fields with their values.
local function read_again(data, internal)
  local fields = try('HGETALL', data)
  if fields.err then return 'plain' end
  if #fields == 0 then return 'gone' end
  local timeout = try('HGET', internal, 'SessionTimeout')
  if type(timeout) == 'string' and string.sub(fields[2], 1, #STREAM) == STREAM then return 'session', timeout, fields end
  local kind
  kind, timeout = read_internal(internal)
  if kind == 'other' or (kind == 'none' and not has_stream(fields)) then return 'plain' end
  return 'session', timeout, fields
end

-- The same with a look at the size first: "large" is a session of more than `most` items, or than `bytes` where that is above 0.
local function read_session(data, internal, most, bytes)
  local size = bytes > 0 and call('MEMORY', 'USAGE', data)
  if not size or size > bytes then
    local items = try('HLEN', data)
    if type(items) ~= 'number' then return 'plain' end
    if items == 0 then return 'gone' end
    if size or items > most then
      local sure = read_internal(internal) == 'own' or has_stream(call('HSCAN', data, '0', 'COUNT', '5')[2])
      return sure and 'large' or 'plain'
    end
  end
  local kind, timeout, fields = read_again(data, internal)
  if fields and #fields > 2 * most then return 'large' end
  return kind, timeout, fields
end

-- A hash over all fields with their values, as session-gather.lua packs them, and the timeout.
local function fingerprint(fields, timeout)
  return redis.sha1hex((timeout or '-') .. '|' .. cmsgpack.pack(fields))
end

-- How many ms sooner the second key expires than the first; false where one of them does not.
local function gap_between(first, second)
  if has_expiretime then
    local a, b = call('PEXPIRETIME', first), call('PEXPIRETIME', second)
    return a > 0 and b > 0 and a - b
  end
  for round = 1, 5 do
    local before, b, after = call('PTTL', first), call('PTTL', second), call('PTTL', first)
    if before <= 0 or b <= 0 then return false end
    if before == after or round == 5 then return before - b end
  end
end
