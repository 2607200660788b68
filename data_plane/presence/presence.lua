-- Who is connected, on the server's own clock. Both keys of a call are in one slot and hold one part of an app's users.
--
-- KEYS[1]  hash: user -> JSON {p: {process: [state, deadline]}, c: choice, v: version of the choice, s: state as last told}
--          state of a process: "o" online, "a" away. Deadlines in milliseconds since 1970.
-- KEYS[2]  sorted set: user -> the earliest of its deadlines
-- ARGV[1]  "put":   ARGV[2] process, ARGV[3] milliseconds until it must say so again, then for each user five:
--                   user, state ("o", "a", "" it has none here any more, "-" nothing is said of this process),
--                   choice, version of the choice, the state as this process last knew it ("" when it does not)
--          "read":  ARGV[2…] users
--          "sweep": ARGV[2] at most so many users whose processes have said nothing in time
--
-- Returns for each user: user, state before, state now, version of the state (microseconds), choice, its version, and
-- whether `process` is the first of those that have the user (1 or 0), so that one of them counts it. "sweep" returns
-- those users alone whose state changed. States: offline, online, away, invisible.

local mode = ARGV[1]
local clock = redis.call("TIME")
local micros = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local now = math.floor(micros / 1000)
local answer = {}

local function settle(record)
  local online, earliest, first, any = false, nil, nil, false
  for process, held in pairs(record.p) do
    if held[2] <= now then
      record.p[process] = nil
    else
      any = true
      online = online or held[1] == "o"
      if not earliest or held[2] < earliest then earliest = held[2] end
      if not first or process < first then first = process end
    end
  end
  local state = "offline"
  if any then
    if record.c == "invisible" then state = "invisible"
    elseif record.c == "away" or not online then state = "away"
    else state = "online" end
  end
  return state, earliest, first
end

local function load(user)
  local held = redis.call("HGET", KEYS[1], user)
  return held and cjson.decode(held)
end

local function keep(user, record, earliest)
  if earliest then
    redis.call("HSET", KEYS[1], user, cjson.encode(record))
    redis.call("ZADD", KEYS[2], earliest, user)
  else
    redis.call("HDEL", KEYS[1], user)
    redis.call("ZREM", KEYS[2], user)
  end
end

local function say(user, before, state, record, mine)
  for _, value in ipairs({user, before, state, string.format("%.0f", micros), record.c or "",
                          string.format("%.0f", record.v or 0), mine and 1 or 0}) do
    answer[#answer + 1] = value
  end
end

if mode == "put" then
  local process, life = ARGV[2], tonumber(ARGV[3])
  for i = 4, #ARGV, 5 do
    local user, state, choice, version, known = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), ARGV[i + 4]
    local record = load(user)
    if not record then
      record = {p = {}, c = choice, v = version, s = known ~= "" and known or "offline"}
    elseif version > (record.v or 0) then
      record.c, record.v = choice, version
    end
    if state == "" then
      record.p[process] = nil
    elseif state ~= "-" then
      record.p[process] = {state, now + life}
    end
    local after, earliest, first = settle(record)
    local before = record.s
    record.s = after
    keep(user, record, earliest)
    say(user, before, after, record, first == process)
  end
  -- Should every process die, the part goes by itself.
  redis.call("PEXPIRE", KEYS[1], 4 * life)
  redis.call("PEXPIRE", KEYS[2], 4 * life)
elseif mode == "read" then
  for i = 2, #ARGV do
    local record = load(ARGV[i])
    if record then
      local state = settle(record)
      say(ARGV[i], record.s, state, record, false)
    else
      say(ARGV[i], "offline", "offline", {}, false)
    end
  end
else
  for _, user in ipairs(redis.call("ZRANGEBYSCORE", KEYS[2], "-inf", now, "LIMIT", 0, tonumber(ARGV[2]))) do
    local record = load(user)
    if record then
      local after, earliest = settle(record)
      local before = record.s
      record.s = after
      keep(user, record, earliest)
      if before ~= after then say(user, before, after, record, false) end
    else
      redis.call("ZREM", KEYS[2], user)
    end
  end
end
return answer
