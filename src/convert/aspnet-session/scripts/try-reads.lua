-- Calls every command that the scripts which read sessions call. Changes nothing.
-- KEYS two of one slot that nobody has
local call = redis.call
call('TIME')
call('TYPE', KEYS[1])
call('HLEN', KEYS[1])
call('HGETALL', KEYS[1])
call('HGET', KEYS[2], 'SessionTimeout')
call('HSCAN', KEYS[1], '0', 'COUNT', '5')
call('EXISTS', KEYS[2])
call('STRLEN', KEYS[1])
call('GET', KEYS[1])
return call('PTTL', KEYS[1])
