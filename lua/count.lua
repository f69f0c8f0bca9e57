#!lua
-- Counts what an id weighs against the limits of what it is kept by: a hash of ids with running sums, whole and of each
-- group, and the moments at which they stop counting. An id that is counted counts once.
-- KEYS[1] count   {P}:count:<hash>
-- KEYS[2] ends    {P}:ends:<hash>
-- ARGV[1] now     ms since the epoch, by the store's clock
-- ARGV[2] id      what is counted, such as an order
-- ARGV[3] group   what its weight adds up with, such as a product; empty for all
-- ARGV[4] weight  a whole number
-- ARGV[5] until   ms since the epoch, when it stops counting
-- ARGV[6] most    ids that may be counted
-- ARGV[7] limit   highest sum of the group's weights
-- ARGV[8] first   1 where the first weight of a group may be above its limit
-- returns counted sum
-- returns ids until
-- returns weight until
-- returns more
local count, ends, now, id, group = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local weight, ending, most, limit, first = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local sums, left = {}, {}
local function sum_of(name)
  sums[name] = sums[name] or tonumber(redis.call('HGET', count, '+' .. name) or '0')
  return sums[name]
end
-- An entry is <weight>|<group>: what it takes from the sums when it goes.
local function entry(text)
  local w, g = string.match(text or '0|', '^(%d+)|(.*)$')
  return tonumber(w), g
end
local function add(w, g)
  sums[''] = sum_of('') + w
  if g ~= '' then
    sums[g] = sum_of(g) + w
  end
end
local over = redis.call('ZRANGE', ends, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
for _, gone in ipairs(over) do
  local w, g = entry(redis.call('HGET', count, gone))
  add(-w, g)
  left[gone] = true
end
local ids, sum = redis.call('ZCARD', ends) - #over, sum_of(group)
local function fits(n, total)
  return n + 1 <= most and (total + weight <= limit or (first == '1' and total == 0))
end
local reply
if redis.call('HEXISTS', count, id) == 1 and not left[id] then
  reply = {'counted', sum_of('')}
elseif fits(ids, sum) then
  reply = {'counted', sum_of('') + weight}
elseif #over == 100 then
  reply = {'more'}
else
  -- When enough will have gone, as far as a hundred entries tell; 0: not by waiting.
  local n, total, at = ids, sum, '0'
  local live = redis.call('ZRANGE', ends, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, 100, 'WITHSCORES')
  for i = 1, #live, 2 do
    local w, g = entry(redis.call('HGET', count, live[i]))
    n = n - 1
    if group == '' or g == group then
      total = total - w
    end
    at = live[i + 1]
    if fits(n, total) then
      break
    end
  end
  if first ~= '1' and weight > limit then
    at = '0'
  end
  reply = {ids + 1 > most and 'ids' or 'weight', string.format('%.0f', tonumber(at))}
end
local new = reply[1] == 'counted' and (left[id] or redis.call('HEXISTS', count, id) == 0)
local last = redis.call('ZRANGE', ends, -1, -1, 'WITHSCORES')[2]
if new then
  add(weight, group)
  left[id] = nil
  last = math.max(tonumber(last or '0'), tonumber(ending))
end
-- Write.
for gone in pairs(left) do
  redis.call('HDEL', count, gone)
  redis.call('ZREM', ends, gone)
end
for name, total in pairs(sums) do
  if total == 0 then
    redis.call('HDEL', count, '+' .. name)
  elseif new or #over > 0 then
    redis.call('HSET', count, '+' .. name, string.format('%.0f', total))
  end
end
if new then
  redis.call('HSET', count, id, weight .. '|' .. group)
  redis.call('ZADD', ends, ending, id)
  redis.call('PEXPIREAT', count, string.format('%.0f', last))
  redis.call('PEXPIREAT', ends, string.format('%.0f', last))
end
return reply
