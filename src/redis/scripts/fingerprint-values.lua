-- Fingerprints of whole values, a window of each key at a time. Writes nothing.
-- KEYS the keys   ARGV for each key where its window begins: "" at first, then what the reply said
-- Without KEYS, for keys of several slots that a node of a cluster has: ARGV each key and where its window begins, by turns
-- Reply: for each key { type, where the next window begins | "" at the end, fingerprint, parts in it, fields that expire }, and of a
--   type that is none of Redis's own a sixth: 1 where the fingerprint is that of what DUMP gives, without its footer, 0 where there is
--   none: then what the server said stands in its place, or "" of a value that is too large
--   string, list, zset, stream: fingerprints of windows are told one after the other; set, hash: numbers to be added up.
-- Windows: 256 KiB of a string, 512 parts of anything else. After 4 MiB of strings or 4,096 parts the rest of the keys wait,
-- told by -1 parts.
local TEXT, PARTS, MOST = 262144, 512, 4096
local MOST_DUMPED, FOOTER, BYTES_A_PART = 4194304, 10, 1024
local readers = {}

local function by_index(key, from, read)
  from = tonumber(from) or 0
  local parts, count = read(key, from, from + PARTS - 1)
  return count == PARTS and tostring(from + PARTS) or '', sha1(parts), count, 0
end

readers.string = function(key, from)
  from = tonumber(from) or 0
  local text = call('GETRANGE', key, from, from + TEXT - 1)
  return #text == TEXT and tostring(from + TEXT) or '', sha1(text), 256, 0
end

readers.list = function(key, from)
  return by_index(key, from, function(_, first, last)
    local items = call('LRANGE', key, first, last)
    return joined(items), #items
  end)
end

readers.zset = function(key, from)
  return by_index(key, from, function(_, first, last)
    local flat = call('ZRANGE', key, first, last, 'WITHSCORES')
    return joined(scored(flat)), #flat / 2
  end)
end

local function end_of_scan(cursor) return cursor == '0' and '' or cursor end

readers.set = function(key, from)
  local reply = call('SSCAN', key, from == '' and '0' or from, 'COUNT', PARTS)
  return end_of_scan(reply[1]), format('%.0f', sum_of_members(reply[2])), #reply[2], 0
end

readers.hash = function(key, from)
  local reply = call('HSCAN', key, from == '' and '0' or from, 'COUNT', PARTS)
  local flat = reply[2]
  return end_of_scan(reply[1]), format('%.0f', sum_of_fields(flat)), #flat / 2, expiring_fields(key, flat)
end

-- Redis 6.0 has no exclusive ranges: a window after the first begins with the last part of the one before.
local function after(list, id)
  if id ~= '' and list[1] and list[1][1] == id then table.remove(list, 1) end
  return list
end

-- First what XINFO tells, then entries ("e" and the last id), then the pending entries of each group ("p", its number, the last id).
readers.stream = function(key, from)
  if from == '' then return 'e', sha1((stream_facts(key))), 16, 0 end
  local texts = {}
  local phase, rest = sub(from, 1, 1), sub(from, 2)
  if phase == 'e' then
    local entries = after(call('XRANGE', key, rest == '' and '-' or rest, '+', 'COUNT', PARTS + 1), rest)
    for i = 1, #entries do
      texts[2 * i - 1] = entries[i][1]
      texts[2 * i] = joined(entries[i][2])
    end
    local whole = #entries < PARTS
    return whole and 'p1:' or 'e' .. entries[#entries][1], sha1(joined(texts)), #entries, 0
  end
  local colon = string.find(rest, ':', 1, true)
  local number, id = tonumber(sub(rest, 1, colon - 1)), sub(rest, colon + 1)
  local group = call('XINFO', 'GROUPS', key)[number]
  if not group then return '', '', 1, 0 end
  local pending = after(
    call('XPENDING', key, field(group, 'name'), id == '' and '-' or id, '+', PARTS + 1), id)
  for i = 1, #pending do
    texts[i] = joined({ pending[i][1], pending[i][2], tostring(pending[i][4]) })
  end
  local next = #pending < PARTS and 'p' .. (number + 1) .. ':' or 'p' .. number .. ':' .. pending[#pending][1]
  return next, sha1(joined(texts)), #pending, 0
end

-- Fingerprint, parts and the sixth.
local function dumped(key)
  local size = try('MEMORY', 'USAGE', key)
  if type(size) == 'number' and size > MOST_DUMPED then return '', 0, 0 end
  local payload = try('DUMP', key)
  if type(payload) ~= 'string' then return payload and payload.err or 'nothing', 0, 0 end
  return sha1(sub(payload, 1, -1 - FOOTER)), math.ceil(#payload / BYTES_A_PART), 1
end

local keys, froms = KEYS, ARGV
if #KEYS == 0 then
  keys, froms = {}, {}
  for i = 1, #ARGV, 2 do
    keys[#keys + 1] = ARGV[i]
    froms[#froms + 1] = ARGV[i + 1]
  end
end

local replies, done = {}, 0
for i = 1, #keys do
  local kind = call('TYPE', keys[i]).ok
  if kind == 'none' then
    replies[i] = { kind, '', '', 0, 0 }
  elseif done > MOST then
    replies[i] = { kind, '', '', -1, 0 }
  elseif not readers[kind] then
    local print, parts, is_dumped = dumped(keys[i])
    done = done + parts + 1
    replies[i] = { kind, '', print, parts, 0, is_dumped }
  else
    local next, print, parts, expiring = readers[kind](keys[i], froms[i])
    done = done + parts + 1
    replies[i] = { kind, next, print, parts, expiring }
  end
end
return replies
