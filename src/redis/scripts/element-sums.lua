-- What one step of a cursor over a set, hash or sorted set gives, as numbers to be added up: where the sums over all steps are
-- equal, so are the values, in whatever order a server keeps them. Writes nothing.
-- KEYS[1] the key   ARGV its type, the cursor, how many elements to ask for, and for a hash what to add to the expiries of its
-- fields, in ms | "" to leave these out
-- Reply: microseconds this took, the type that the key has now, the next cursor, elements, their bytes, two sums modulo 2^52
local key, kind, cursor, count, shift = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local scans = { set = 'SSCAN', hash = 'HSCAN', zset = 'ZSCAN' }
local first, second, number, bytes = 0, 0, 0, 0

local function add(text)
  local digest = sha1(text)
  first = (first + tonumber(sub(digest, 1, 13), 16)) % SPACE
  second = (second + tonumber(sub(digest, 14, 26), 16)) % SPACE
  number = number + 1
end

-- A double in whole numbers, exact: servers and languages spell the same one differently.
local function exactly(text)
  local score = tonumber(text)
  if score == 0 then return '0' end
  if score == math.huge then return 'inf' end
  if score == -math.huge then return '-inf' end
  local mantissa, exponent = math.frexp(score)
  return format('%.0f:%d', mantissa * 9007199254740992, exponent)
end

local function expiries(names)
  if shift == '' then return {} end
  local times = {}
  for from = 1, #names, 1000 do
    local upto = math.min(from + 999, #names)
    local part = call('HPEXPIRETIME', key, 'FIELDS', upto - from + 1, unpack(names, from, upto))
    for i = 1, #part do times[#times + 1] = part[i] end
  end
  return times
end

local real = call('TYPE', key).ok
if real ~= kind then return { micros() - started, real, '0', 0, 0, '0', '0' } end
local reply = call(scans[kind], key, cursor, 'COUNT', count)
local flat = reply[2]
for i = 1, #flat do bytes = bytes + #flat[i] end
if kind == 'set' then
  for i = 1, #flat do add(flat[i]) end
elseif kind == 'zset' then
  for i = 1, #flat, 2 do add(joined({ flat[i], exactly(flat[i + 1]) })) end
else
  local names = {}
  for i = 1, #flat, 2 do names[#names + 1] = flat[i] end
  local times = expiries(names)
  for i = 1, #names do
    local time = times[i] or -1
    local ends = time > 0 and format('%.0f', time + tonumber(shift)) or ''
    if time ~= -2 then add(joined({ names[i], flat[2 * i], ends })) end
  end
end
return { micros() - started, real, reply[1], number, bytes, format('%.0f', first), format('%.0f', second) }
