-- Writes entries of a .NET distributed cache as hashes, or their values as strings; each whole, with its expiry, or not at all.
-- KEYS the keys   ARGV[1] "strings" | "entries": what is written
-- ARGV[2] "replace" | "skip" (what is there stays) | "inPlace" (it is what was read, or stays)
-- then four for each: value, expiry as ms of this server's clock since 1970 (0: none), absexp and sldexp: to be written with a
--   hash; in place of strings those that were read ("": there was none)
-- Reply: one for each: "written" | "exists" | "expired" | "changed"
local to, mode = ARGV[1], ARGV[2]
local now = now_ms()
local NEAR = 2

-- The first write of a script is refused where memory is full, but not the ones behind it, and DEL is none that would be.
local full = try('SETRANGE', KEYS[1], '0', '')
if type(full) == 'table' and string.find(full.err, 'OOM', 1, true) then return full end

local function field(key, name) return call('HGET', key, name) or '' end

-- Whether a key is what the arguments make of it.
local function is_written(key, value, sliding)
  local type = call('TYPE', key).ok
  if to == 'strings' then return type == 'string' and call('GET', key) == value end
  return type == 'hash' and call('HLEN', key) == 3 and call('HGET', key, 'data') == value and field(key, 'sldexp') == sliding
end

-- Whether a key is as it was read.
local function is_read(key, value, expiry, absolute, sliding)
  if kind_of(key, to) ~= 'entry' then return false end
  local own = expiry_of(key)
  if math.abs(own - (expiry == 0 and -1 or expiry)) > NEAR then return false end
  if to == 'entries' then return call('GET', key) == value end
  return call('HGET', key, 'data') == value and field(key, 'absexp') == absolute and field(key, 'sldexp') == sliding
end

local reply = {}
for i, key in ipairs(KEYS) do
  local a = 4 * i - 1
  local value, expiry, absolute, sliding = ARGV[a], tonumber(ARGV[a + 1]), ARGV[a + 2], ARGV[a + 3]
  local answer
  if mode == 'inPlace' then
    if not is_read(key, value, expiry, absolute, sliding) then answer = 'changed' end
  elseif mode == 'skip' and call('EXISTS', key) == 1 then
    answer = is_written(key, value, sliding) and 'written' or 'exists'
  end
  if not answer and expiry ~= 0 and expiry <= now then answer = 'expired' end
  if not answer then
    if to == 'strings' then
      call('SET', key, value)
    else
      call('DEL', key)
      call('HSET', key, 'absexp', absolute, 'sldexp', sliding, 'data', value)
    end
    if expiry ~= 0 then call('PEXPIREAT', key, string.format('%.0f', expiry)) end
    answer = 'written'
  end
  reply[i] = answer
end
return reply
