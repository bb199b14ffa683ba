-- Which of the keys do not exist. Writes nothing.
-- KEYS the keys   Reply: microseconds this took, then their numbers, from 1
local missing = { 0 }
for i = 1, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then missing[#missing + 1] = i end
end
missing[1] = micros() - started
return missing
