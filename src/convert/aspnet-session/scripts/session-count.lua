-- Finds version 4 sessions, without reading them: one page of a walk over all keys. Writes nothing.
-- ARGV[1] cursor   ARGV[2] COUNT   ARGV[3] "1": names without braces too
-- Reply: { cursor, then two for each hash that is called like a session's data: its name,
--   and 0 with 1 added where it is locked and 2 where version 5 has it }
local call = redis.call
local page = call('SCAN', ARGV[1], 'MATCH', ARGV[3] == '1' and '*_Data' or '{*}_Data', 'COUNT', ARGV[2])
local reply = { page[1] }
for _, name in ipairs(page[2]) do
  -- Names that the user may not touch are nobody's to convert.
  if redis.pcall('TYPE', name).ok == 'hash' then
    local start = string.sub(name, 1, -6)
    local braced = string.match(start, '^{.*}$') and start or '{' .. start .. '}'
    local lock, newer = start .. '_Write_Lock', braced .. '_SessionStateItemCollection'
    reply[#reply + 1] = name
    reply[#reply + 1] = call('EXISTS', lock, newer) == 0 and 0 or call('EXISTS', lock) + 2 * call('EXISTS', newer)
  end
end
return reply
