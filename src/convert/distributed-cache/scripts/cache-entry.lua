-- Put, behind expiry.lua, in front of scripts that look at entries of a .NET distributed cache.

-- Whether a key has the form that is to be converted, to: "strings" or "entries". Another one is somebody else's, or converted.
-- Returns "entry" | "plain" | "gone".
local function kind_of(key, to)
  local type = call('TYPE', key).ok
  if type == 'none' then return 'gone' end
  if to == 'entries' then return type == 'string' and 'entry' or 'plain' end
  if type ~= 'hash' then return 'plain' end
  local known = call('HMGET', key, 'absexp', 'sldexp')
  return (known[1] or known[2]) and 'entry' or 'plain'
end
