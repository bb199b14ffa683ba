-- A digest of some entries of a stream, as they are now. Writes nothing.
-- KEYS[1] the key   ARGV the first id, the last id, how many entries at most
-- Reply: microseconds this took, how many entries there are, the id of the last one | "", the SHA-1 of all in hex; the key's
-- type in its place where that is no stream
local kind = call('TYPE', KEYS[1]).ok
if kind ~= 'stream' then return { micros() - started, 0, '', kind } end
local entries = call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local texts = {}
for i = 1, #entries do
  texts[2 * i - 1] = entries[i][1]
  texts[2 * i] = joined(entries[i][2])
end
local last = #entries > 0 and entries[#entries][1] or ''
return { micros() - started, #entries, last, sha1(joined(texts)) }
