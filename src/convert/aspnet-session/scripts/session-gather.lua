-- Reads version 4 sessions whole, each at one moment. Writes nothing.
-- KEYS four for each session: data, internal, lock, version 5's data; and where ARGV[5] is "1" a fifth: the data of a
--   session that goes before this one (of a name without braces: the one with braces; otherwise the data again)
-- ARGV[1] items that a session may have   ARGV[2] bytes that its hash may have (0: not looked at)
-- ARGV[3] bytes after which sessions are only named   ARGV[4] "1": a session that version 5 has is left to it
-- Reply: { microseconds this took, ms since 1970 of the server's clock, then one for each session:
--   "gone" | "plain" (no session) | "newer" (version 5 has it, or another one goes before it) | "large" | "later" (only named)
--   | { expiry in ms since 1970 or -1, 1 if locked, SessionTimeout | "", fields and values as MessagePack } }
local most, bytes, left, leave_newer = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local rivals = ARGV[5] == '1'
local reply = { 0, tostring(now_ms()) }
for i = 1, #KEYS, rivals and 5 or 4 do
  local data, internal, lock, newer = KEYS[i], KEYS[i + 1], KEYS[i + 2], KEYS[i + 3]
  local rival = rivals and KEYS[i + 4] or data
  local answer, timeout, fields = read_session(data, internal, most, bytes)
  if answer == 'session' then
    local expiry = expiry_of(data)
    local locked = leave_newer and call('EXISTS', lock, newer) or call('EXISTS', lock)
    local has_newer = leave_newer and locked > 0 and call('EXISTS', newer) == 1
    if expiry == -2 then
      answer = 'gone'
    elseif has_newer or (rival ~= data and type_of(rival) == 'hash') then
      answer = 'newer'
    elseif left <= 0 then
      answer = 'later'
    else
      local packed = cmsgpack.pack(fields)
      answer = { tostring(expiry), locked, timeout or '', packed }
      left = left - #packed
    end
  end
  reply[#reply + 1] = answer
end
reply[1] = micros() - started
return reply
