-- Calls every command that session-write.lua calls, so that none changes anything.
-- KEYS two of one slot that nobody has
local call = redis.call
call('TIME')
call('TYPE', KEYS[1])
call('GET', KEYS[1])
call('PTTL', KEYS[1])
call('SET', KEYS[1], '', 'XX')
call('PEXPIREAT', KEYS[1], '1')
return call('DEL', KEYS[2])
