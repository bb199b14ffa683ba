-- Put in front of scripts that tell values by fingerprints: equal for equal values, whatever the version and the encoding,
-- and whatever the order in which a server gives the members of a set or the fields of a hash.
local call, try, sha1 = redis.call, redis.pcall, redis.sha1hex
local concat, sub, format = table.concat, string.sub, string.format
local SPACE = 4503599627370496 -- 2^52: sums of two such numbers are exact

-- One part of an unordered value as a number; the sum of all, modulo SPACE, stands for the value.
local function number_of(text) return tonumber(sub(sha1(text), 1, 13), 16) end

-- Texts one after the other, so that no other texts give the same.
local function joined(texts)
  local parts = {}
  for i = 1, #texts do
    parts[2 * i - 1] = #texts[i] .. ':'
    parts[2 * i] = texts[i]
  end
  return concat(parts)
end

-- A score as every version spells it alike; -0 is 0.
local function score_of(text) return format('%.17g', tonumber(text) + 0) end

local function scored(flat)
  for i = 2, #flat, 2 do flat[i] = score_of(flat[i]) end
  return flat
end

local function sum_of_members(members)
  local sum = 0
  for i = 1, #members do sum = (sum + number_of(members[i])) % SPACE end
  return sum
end

local function sum_of_fields(flat)
  local sum = 0
  for i = 1, #flat, 2 do
    sum = (sum + number_of(#flat[i] .. ':' .. flat[i] .. flat[i + 1])) % SPACE
  end
  return sum
end

-- Expiries of single fields came with Redis 7.4 and Valkey 9.
local field_expiry
local function has_field_expiry(key)
  if field_expiry == nil then
    local reply = try('HPEXPIRETIME', key, 'FIELDS', '1', '')
    -- Whatever else it answers, a user without the right to ask is none without expiries.
    field_expiry = not reply.err or not string.find(reply.err, 'nknown ')
  end
  return field_expiry
end

-- How many of the fields (every second text of a flat list) expire by themselves.
local function expiring_fields(key, flat)
  if #flat == 0 or not has_field_expiry(key) then return 0 end
  local names, count = {}, 0
  for i = 1, #flat, 2 do names[#names + 1] = flat[i] end
  for from = 1, #names, 1000 do
    local upto = math.min(from + 999, #names)
    local times = call('HPEXPIRETIME', key, 'FIELDS', upto - from + 1, unpack(names, from, upto))
    for i = 1, #times do if times[i] > 0 then count = count + 1 end end
  end
  return count
end

local function field(flat, name)
  for i = 1, #flat, 2 do if flat[i] == name then return flat[i + 1] end end
end

-- What XINFO tells of a stream, its groups and their consumers, as one text; and its reply about the groups.
local function stream_facts(key)
  local texts, groups = { field(call('XINFO', 'STREAM', key), 'last-generated-id') }, call('XINFO', 'GROUPS', key)
  for _, group in ipairs(groups) do
    local name = field(group, 'name')
    texts[#texts + 1] = 'group'
    texts[#texts + 1] = name
    texts[#texts + 1] = field(group, 'last-delivered-id')
    for _, consumer in ipairs(call('XINFO', 'CONSUMERS', key, name)) do
      texts[#texts + 1] = field(consumer, 'name')
      texts[#texts + 1] = tostring(field(consumer, 'pending'))
    end
  end
  return joined(texts), groups
end
