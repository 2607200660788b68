-- GCRA on the server's own clock. All keys of a call are in one slot; see kernel/gcra.py for the algorithm.
--
-- KEYS[i]  a bucket: its theoretical arrival time, microseconds of the epoch. Absent: empty.
-- ARGV[1]  "take": all keys let their cost pass, or none is charged.
--          "settle": what has passed already is charged, whatever the bucket holds; a negative cost gives back.
-- ARGV[2 + 3(i-1)], … +1, … +2   of KEYS[i]: microseconds a unit, burst in units, cost in units.
--
-- Returns two numbers for each key: the backlog in microseconds, and the microseconds after which the cost would pass,
-- 0 when it does.

local settle = ARGV[1] == "settle"
local clock = redis.call("TIME")
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local held = redis.call("MGET", unpack(KEYS))
local starts, answer, refused = {}, {}, false

for i = 1, #KEYS do
  local every, burst, cost = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  -- A clock that went back, or a smaller burst than before, must not lock anybody out for longer than two bursts take.
  local start = math.min(math.max(tonumber(held[i] or now), now), now + 2 * every * burst)
  local wait = math.max(0, start + cost * every - burst * every - now)
  starts[i] = start
  answer[2 * i - 1] = start - now
  answer[2 * i] = wait
  refused = refused or (wait > 0 and not settle)
end

if refused then
  return answer
end
for i = 1, #KEYS do
  local every, cost = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i + 1])
  if cost ~= 0 then
    local tat = math.max(starts[i] + cost * every, now)
    answer[2 * i - 1] = tat - now
    if tat > now then
      redis.call("SET", KEYS[i], string.format("%.0f", tat), "PX", math.ceil((tat - now) / 1000))
    else
      redis.call("DEL", KEYS[i])
    end
  end
end
return answer
