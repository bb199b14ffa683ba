-- Calls every command that cache-write.lua calls, so that no key is changed.
-- KEYS one that nobody has
call('TIME')
call('TYPE', KEYS[1])
call('EXISTS', KEYS[1])
call('GET', KEYS[1])
call('HGET', KEYS[1], 'data')
call('HMGET', KEYS[1], 'absexp', 'sldexp')
call('HLEN', KEYS[1])
call('PTTL', KEYS[1])
call('SETRANGE', KEYS[1], '0', '')
call('SET', KEYS[1], '', 'XX')
call('PEXPIREAT', KEYS[1], '1')
call('DEL', KEYS[1])
-- A field without a value: refused by the command itself, which makes no hash, behind the look at the user's rights.
local refused = try('HSET', KEYS[1], 'data', '', 'absexp')
return string.find(refused.err, 'wrong number of arguments', 1, true) and 'fine' or refused
