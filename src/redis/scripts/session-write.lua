-- Writes version 5 sessions; the two keys of each appear together or not at all.
-- KEYS five for each session: version 5's data and timeout; and, for a conversion in place, version 4's data, internal and
--   lock (otherwise version 5's again)
-- ARGV[1] "1": in place   ARGV[2] "1": delete version 4's keys after writing   ARGV[3] "1": convert locked ones too
-- then five for each session: blob | "" (take back what we wrote), timeout text | "", expiry as ms of this server's clock
--   since 1970 (0: none), what may be overwritten ("": nothing, "*": all, or the SHA-1 of what we wrote before),
--   version 4's fingerprint (in place)
-- Reply: one for each: "written" | "exists" (another session of version 5 is there) | "changed" | "locked" | "expired"
local in_place, delete_old, though_locked = ARGV[1] == '1', ARGV[2] == '1', ARGV[3] == '1'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {}
for i = 1, #KEYS / 5 do
  local k, a = 5 * i - 5, 5 * i - 2
  local data, timeout, old_data, old_internal, old_lock = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4], KEYS[k + 5]
  local blob, timeout_text, expiry, overwrite, print = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5]
  local there = type_of(data)
  local answer
  if there ~= 'none' and overwrite ~= '*' then
    local ours = there == 'string' and redis.sha1hex(redis.call('GET', data))
    if ours ~= overwrite and (blob == '' or ours ~= redis.sha1hex(blob)) then answer = 'exists' end
  end
  if not answer and in_place then
    if not though_locked and redis.call('EXISTS', old_lock) == 1 then
      answer = 'locked'
    else
      local current = is_internal(old_internal) and redis.call('HGET', old_internal, 'SessionTimeout') or false
      if type_of(old_data) ~= 'hash' or fingerprint(redis.call('HGETALL', old_data), current) ~= print then answer = 'changed' end
    end
  end
  if not answer and blob == '' then
    redis.call('DEL', data, timeout)
    answer = 'written'
  elseif not answer and expiry ~= '0' and tonumber(expiry) <= now then
    answer = 'expired'
  elseif not answer then
    redis.call('SET', data, blob)
    if timeout_text ~= '' then redis.call('SET', timeout, timeout_text) else redis.call('DEL', timeout) end
    if expiry ~= '0' then
      redis.call('PEXPIREAT', data, expiry)
      if timeout_text ~= '' then redis.call('PEXPIREAT', timeout, expiry) end
    end
    if in_place and delete_old then redis.call('DEL', old_data, old_internal) end
    answer = 'written'
  end
  reply[i] = answer
end
return reply
