-- Reads entries of a .NET distributed cache, or strings, whole. Writes nothing.
-- KEYS the keys   ARGV[1] "strings" | "entries": what they are to become
-- Reply: { microseconds this took, then one for each key: "plain" | "gone"
--   | { expiry in ms since 1970 or -1, the value or nil, and of a hash absexp or nil, sldexp or nil, how many fields it has } }
local reply = { 0 }
for i, key in ipairs(KEYS) do
  local answer = kind_of(key, ARGV[1])
  if answer == 'entry' then
    local expiry = expiry_of(key)
    local told = string.format('%.0f', expiry)
    if expiry == -2 then
      answer = 'gone'
    elseif ARGV[1] == 'entries' then
      answer = { told, call('GET', key) }
    else
      local fields = call('HMGET', key, 'data', 'absexp', 'sldexp')
      answer = { told, fields[1], fields[2], fields[3], call('HLEN', key) }
    end
  end
  reply[i + 1] = answer
end
reply[1] = micros() - started
return reply
