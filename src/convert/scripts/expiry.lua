-- Put in front of scripts that look at expiries and at keys of any type.
local call, try = redis.call, redis.pcall

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- PEXPIRETIME is exact; it came with 7.0. Before, PTTL is all there is and the clock runs on inside a script, so it is
-- read on both sides of the question.
local has_expiretime = redis.REDIS_VERSION_NUM and KEYS[1] and type(try('PEXPIRETIME', KEYS[1])) == 'number'

-- When a key expires, in ms of this server's clock since 1970; -1: never, -2: it is gone.
local clock = has_expiretime and 0 or now_ms()
local function expiry_of(key)
  if has_expiretime then return call('PEXPIRETIME', key) end
  for round = 1, 5 do
    local before, ttl = clock, call('PTTL', key)
    if ttl == -1 then return -1 end
    if ttl <= 0 then return -2 end
    clock = now_ms()
    if clock - before <= 1 or round == 5 then return clock + ttl end
  end
end

