-- Put in front of scripts that say how long they took: their replies begin with it.
-- micros(): a running clock in microseconds. From Redis 7.2 TIME stands still inside a script, but os.clock is there;
-- before, there is no os and TIME runs.
local os_library = rawget(_G, 'os')
local function micros()
  if os_library and os_library.clock then return os_library.clock() * 1000000 end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local started = micros()
