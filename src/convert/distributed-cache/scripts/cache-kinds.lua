-- Says what keys are that may be entries of a .NET distributed cache. Writes nothing.
-- KEYS the keys   ARGV[1] "strings": hashes are to become strings; "entries": strings are to become hashes
-- Reply: { microseconds this took, then one for each key: the length of its value | -1 (no key to be converted) | -2 (gone) }
local reply = { 0 }
for i, key in ipairs(KEYS) do
  local kind = kind_of(key, ARGV[1])
  local size = kind == 'gone' and -2 or -1
  if kind == 'entry' then size = ARGV[1] == 'strings' and call('HSTRLEN', key, 'data') or call('STRLEN', key) end
  reply[i + 1] = size
end
reply[1] = micros() - started
return reply
