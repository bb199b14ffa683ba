-- Digests of parts of one string or list, as they are now. Writes nothing.
-- KEYS[1] the key   ARGV for each part its first and its last place, from 0
-- Reply: microseconds this took, then for each part its SHA-1 in hex; the key's type where that is neither string nor list.
local kind = call('TYPE', KEYS[1]).ok
local digests = { 0 }
for i = 1, #ARGV, 2 do
  local digest = kind
  if kind == 'string' then digest = sha1(call('GETRANGE', KEYS[1], ARGV[i], ARGV[i + 1])) end
  if kind == 'list' then digest = sha1(joined(call('LRANGE', KEYS[1], ARGV[i], ARGV[i + 1]))) end
  digests[#digests + 1] = digest
end
digests[1] = micros() - started
return digests
