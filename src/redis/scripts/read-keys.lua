-- Put in front of scripts that read whole keys.
-- read_keys(keys, reply, n, big, left, look): appends two entries for each key to the reply, from place n + 1:
--   PTTL in ms (-1 none, -2 gone), payload | false (gone) | 1 (big: copy by commands) | 2 (page is full: read again)
-- big: the big-key limit in bytes; left: the bytes that the page may have; look: estimate sizes by MEMORY USAGE first, so
-- that a big key is never dumped; the dump's own length decides for what the estimate misjudged.
local function read_keys(keys, reply, n, big, left, look)
  local call = redis.call
  for i = 1, #keys do
    local key = keys[i]
    local ttl, payload = -2, false
    if left <= 0 then
      payload = 2
    else
      if look and (call('MEMORY', 'USAGE', key) or 0) > big then
        payload = 1
      else
        payload = call('DUMP', key)
        if payload then
          if #payload > big then
            payload = 1
          else
            left = left - #payload
          end
        end
      end
      if payload then ttl = call('PTTL', key) end
    end
    reply[n + 1] = ttl
    reply[n + 2] = payload
    n = n + 2
  end
end
