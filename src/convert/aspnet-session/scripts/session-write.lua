-- Writes version 5 sessions; the two keys of each appear together or not at all.
--
-- How sessions that were converted are known again: the timeout is made to expire some ms before the data. Version 5
-- gives both the same expiry, the data first, whenever it reads or writes a session; so the gap says that it has not come
-- near this one since it was converted, and a newer state of version 4 may replace it.
--
-- KEYS two for each session: version 5's data and timeout; in place three more: version 4's data, internal and lock
-- ARGV[1] "1": in place   ARGV[2] "1": delete version 4's keys after writing   ARGV[3] "1": convert locked ones too
-- ARGV[4] "1": sessions of version 5 may be overwritten
-- then four for each session: blob | "" (take back what is there), timeout text | "", expiry as ms of this server's clock
--   since 1970 (0: none; in place the session's own is taken), what was seen there and may be overwritten ("": nothing);
--   in place one more: version 4's fingerprint
-- Reply: one for each: "written" | "exists" (a session of version 5 is there) | "changed" | "locked" | "expired"
--   | "own:…" (a converted session is there, which was not seen) | "other:…" (likewise one of version 5, which may be overwritten)
local KEPT, DELETED = 4, 5
local in_place, delete_old, though_locked, force = ARGV[1] == '1', ARGV[2] == '1', ARGV[3] == '1', ARGV[4] == '1'
local now = now_ms()

-- Whether what is there may be overwritten: nil, or the answer.
local function obstacle(data, timeout, blob, seen, old_data)
  local kind = type_of(data)
  if kind == 'none' then return nil end
  local there = kind == 'string' and redis.sha1hex(call('GET', data)) or kind
  local gap = gap_between(data, timeout)
  local same = blob ~= '' and there == redis.sha1hex(blob)
  if blob == '' then return there ~= seen and 'exists' or nil end
  if gap == DELETED and same and in_place and call('EXISTS', old_data) == 0 then return 'written' end
  if gap == KEPT or force then
    if in_place or same or there == seen then return nil end
    return (gap == KEPT and 'own:' or 'other:') .. there
  end
  if there == seen or (same and call('EXISTS', timeout) == 0) then return nil end
  return 'exists'
end

local function unfit(data, internal, lock, print)
  if not though_locked and call('EXISTS', lock) == 1 then return 'locked' end
  local _, timeout, fields = read_again(data, internal)
  return (not fields or fingerprint(fields, timeout) ~= print) and 'changed' or nil
end

local reply = {}
local keys, args = in_place and 5 or 2, in_place and 5 or 4
for i = 1, #KEYS / keys do
  local k, a = keys * (i - 1), 4 + args * (i - 1)
  local data, timeout, old_data, old_internal, old_lock = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4], KEYS[k + 5]
  local blob, timeout_text, expiry, seen, print = ARGV[a + 1], ARGV[a + 2], tonumber(ARGV[a + 3]), ARGV[a + 4], in_place and ARGV[a + 5]
  local answer = obstacle(data, timeout, blob, seen, old_data)
  if not answer and in_place then
    answer = unfit(old_data, old_internal, old_lock, print)
    local own = not answer and expiry_of(old_data) or 0
    if own > 0 then expiry = own end
  end
  if not answer and blob == '' then
    call('DEL', data, timeout)
    answer = 'written'
  elseif not answer and expiry ~= 0 and expiry <= now then
    answer = 'expired'
  elseif not answer then
    call('SET', data, blob)
    if timeout_text ~= '' then call('SET', timeout, timeout_text) else call('DEL', timeout) end
    if expiry ~= 0 then
      call('PEXPIREAT', data, string.format('%.0f', expiry))
      if timeout_text ~= '' then
        call('PEXPIREAT', timeout, string.format('%.0f', expiry - (delete_old and DELETED or KEPT)))
      end
    end
    if in_place and delete_old then call('DEL', old_data, old_internal) end
    answer = 'written'
  end
  reply[i] = answer
end
return reply
