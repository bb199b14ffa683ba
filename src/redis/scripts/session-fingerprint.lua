-- Put in front of scripts that look at ASP.NET sessions of version 4.
-- The fingerprint is a hash over all fields with their values and the timeout, each with its length in front.
local function fingerprint(fields, timeout)
  local parts = {}
  for i = 1, #fields do parts[i] = #fields[i] .. ':' .. fields[i] end
  parts[#parts + 1] = timeout or '-'
  return redis.sha1hex(table.concat(parts))
end
local function type_of(key) return redis.call('TYPE', key).ok end
-- Version 4's internal hash has one field. Another hash of that name is somebody else's.
local function is_internal(key)
  return type_of(key) == 'hash' and redis.call('HLEN', key) == 1 and redis.call('HEXISTS', key, 'SessionTimeout') == 1
end
