-- Calls every command that the scripts which read call. Changes nothing.
-- KEYS one that nobody has
call('TIME')
call('SCAN', '0', 'COUNT', '1')
call('TYPE', KEYS[1])
call('HMGET', KEYS[1], 'absexp', 'sldexp')
call('HGET', KEYS[1], 'sldexp')
call('HLEN', KEYS[1])
call('HSTRLEN', KEYS[1], 'data')
call('STRLEN', KEYS[1])
call('GET', KEYS[1])
return call('PTTL', KEYS[1])
