-- Finds what is to be converted, without reading it: one page of a walk over all keys. Writes nothing.
-- ARGV[1] cursor   ARGV[2] COUNT   ARGV[3] "strings" | "entries": what it is to become
-- Reply: { cursor, then two for each key of that form: its name, and 1 where its expiry slides, or 0 }
local page = call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local reply = { page[1] }
for _, key in ipairs(page[2]) do
  -- Names that the user may not touch are nobody's to convert.
  if try('TYPE', key).ok and kind_of(key, ARGV[3]) == 'entry' then
    local sliding = ARGV[3] == 'strings' and call('HGET', key, 'sldexp')
    reply[#reply + 1] = key
    reply[#reply + 1] = sliding and sliding ~= '-1' and 1 or 0
  end
end
return reply
