-- One call asks to be admitted. Counts of one key stand in one slot of a cluster: KEYS share a {tag}.
-- KEYS: 1 window (hash "<second>:r|t"), 2 open calls (sorted set: lease -> expiry), 3 day, 4 month (hashes r, t)
-- ARGV: 1 time in ms or "" for the server's, 2 lease, 3 lease's life in ms, 4 tokens, 5 window in s,
--       6..12 limits or -1: concurrent, requests and tokens a minute, a day, a month
--       13..16 what the ledger holds: requests and tokens of the day, of the month, or -1 where it was not asked yet
-- Returns {"ok", second} | {"recall"} | {name of the limit, limit, retry after ms}
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local second, tokens, window = math.floor(now / 1000), tonumber(ARGV[4]), tonumber(ARGV[5])
local limit = {}
for index = 6, 12 do limit[index - 5] = tonumber(ARGV[index]) end

-- Periods that a quota asks about begin with what the ledger holds.
for index, key in ipairs({KEYS[3], KEYS[4]}) do
  local quota = limit[2 + 2 * index] >= 0 or limit[3 + 2 * index] >= 0
  if quota and redis.call('EXISTS', key) == 0 then
    local requests, spent = tonumber(ARGV[11 + 2 * index]), tonumber(ARGV[12 + 2 * index])
    if requests < 0 then return {'recall'} end
    redis.call('HSET', key, 'r', requests, 't', spent)
  end
end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local cells, used = {}, {redis.call('ZCARD', KEYS[2]), 0, 0}
local flat = redis.call('HGETALL', KEYS[1])
for index = 1, #flat, 2 do
  local at, kind = string.match(flat[index], '^(%d+):(%a)$')
  at = tonumber(at)
  if at < second - window then
    redis.call('HDEL', KEYS[1], flat[index])
  else
    local value, slot = tonumber(flat[index + 1]), kind == 'r' and 2 or 3
    used[slot] = used[slot] + value
    cells[#cells + 1] = {at, slot, value}
  end
end
for index, key in ipairs({KEYS[3], KEYS[4]}) do
  used[2 + 2 * index] = tonumber(redis.call('HGET', key, 'r') or 0)
  used[3 + 2 * index] = tonumber(redis.call('HGET', key, 't') or 0)
end

local names = {'concurrent', 'requests_per_minute', 'tokens_per_minute', 'requests_per_day', 'tokens_per_day',
               'requests_per_month', 'tokens_per_month'}
for index, name in ipairs(names) do
  local price = (index == 3 or index == 5 or index == 7) and tokens or 1
  local excess = used[index] + price - limit[index]
  if limit[index] >= 0 and excess > 0 then
    local wait = index == 1 and -1 or window * 1000
    if index == 2 or index == 3 then
      table.sort(cells, function(a, b) return a[1] < b[1] end)
      for _, cell in ipairs(cells) do
        if cell[2] == index then
          excess = excess - cell[3]
          if excess <= 0 then wait = (cell[1] + window + 1) * 1000 - now break end
        end
      end
    end
    return {name, limit[index], wait}
  end
end

redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[2])
redis.call('PEXPIRE', KEYS[2], tonumber(ARGV[3]) * 2)
redis.call('HINCRBY', KEYS[1], second .. ':r', 1)
redis.call('HINCRBY', KEYS[1], second .. ':t', tokens)
redis.call('EXPIRE', KEYS[1], window + 2)
for index, key in ipairs({KEYS[3], KEYS[4]}) do
  redis.call('HINCRBY', key, 'r', 1)
  redis.call('HINCRBY', key, 't', tokens)
  redis.call('EXPIRE', key, index == 1 and 172800 or 2764800)
end
return {'ok', second}
