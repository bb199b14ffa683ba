-- Put in front of scripts that read a node of a cluster slot by slot.
-- slot_keys(first, last, wanted, most): the keys of whole slots from `first` on, until there are `wanted` or `last` is behind, and the
--   slot where to go on. Only of slots that this node owns, as a master, with no move going on: all of their keys are here, and
--   nothing else happens while a script runs. The slot where it stops may be the first already; then the reason is given too:
--   "elsewhere" | "moving" | "down": the node is cut off from the others, so that another one may be the master by now
--   "large": the slot has more than `most` keys.
-- slot_state(slot): why a slot's keys cannot be read here, or nil; and the epoch of the node's own claim to its slots.
-- CLUSTER NODES: the line of the node itself has its flags in the third field, and from the ninth on the slots that it owns,
-- 0-5460, and those that are on their way, [93-<-id] and [93->-id].
-- https://redis.io/docs/latest/commands/cluster-nodes/
local function own_slots()
  local line = string.match(redis.call('CLUSTER', 'NODES'), '[^\n]*myself[^\n]*')
  local fields = {}
  for field in string.gmatch(line, '%S+') do fields[#fields + 1] = field end
  local runs, moving, epoch = {}, {}, fields[7]
  if not string.find(fields[3], 'master', 1, true) then return runs, moving, epoch end
  for i = 9, #fields do
    local open = string.match(fields[i], '^%[(%d+)%-')
    local first, last = string.match(fields[i], '^(%d+)%-?(%d*)$')
    if open then
      moving[tonumber(open)] = true
    elseif first then
      runs[#runs + 1] = { tonumber(first), tonumber(last) or tonumber(first) }
    end
  end
  return runs, moving, epoch
end

local function is_down()
  return not string.find(redis.call('CLUSTER', 'INFO'), 'cluster_state:ok', 1, true)
end

local function why_not(slot, runs, moving)
  if moving[slot] then return 'moving' end
  for i = 1, #runs do
    if slot >= runs[i][1] and slot <= runs[i][2] then return nil end
  end
  return 'elsewhere'
end

local function slot_state(slot)
  if is_down() then return 'down', '' end
  local runs, moving, epoch = own_slots()
  return why_not(slot, runs, moving), epoch
end

local function slot_keys(first, last, wanted, most)
  if is_down() then return {}, first, 'down' end
  local runs, moving = own_slots()
  local keys, slot = {}, first
  while slot <= last and #keys < wanted do
    local reason, count = why_not(slot, runs, moving), 0
    if not reason then
      count = redis.call('CLUSTER', 'COUNTKEYSINSLOT', slot)
      if count > most then reason = 'large' end
    end
    if reason then return keys, slot, slot == first and reason or '' end
    if count > 0 then
      local found = redis.call('CLUSTER', 'GETKEYSINSLOT', slot, count)
      for i = 1, #found do keys[#keys + 1] = found[i] end
    end
    slot = slot + 1
  end
  return keys, slot, ''
end
