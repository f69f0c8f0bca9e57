#!lua flags=allow-oom
-- Gives back what ids count, each only where it is counted.
-- KEYS[1] count  {P}:count:<hash>
-- KEYS[2] ends   {P}:ends:<hash>
-- ARGV[1] id     what counts no more; up to 1,000 of them
-- returns given ids
local count, ends, sums, gone = KEYS[1], KEYS[2], {}, {}
local ending = redis.call('ZCARD', ends) > 0
for n, text in ipairs(redis.call('HMGET', count, unpack(ARGV))) do
  local weight, group = string.match(text or '', '^(%d+)|(.*)$')
  if weight and not gone[ARGV[n]] then
    gone[ARGV[n]] = true
    gone[#gone + 1] = ARGV[n]
    sums[''] = (sums[''] or 0) + tonumber(weight)
    if group ~= '' then
      sums[group] = (sums[group] or 0) + tonumber(weight)
    end
  end
end
for name, weight in pairs(sums) do
  sums[name] = tonumber(redis.call('HGET', count, '+' .. name) or '0') - weight
end
-- Write.
if #gone > 0 then
  redis.call('HDEL', count, unpack(gone))
  if ending then
    redis.call('ZREM', ends, unpack(gone))
  end
end
for name, left in pairs(sums) do
  if left == 0 then
    redis.call('HDEL', count, '+' .. name)
  else
    redis.call('HSET', count, '+' .. name, string.format('%.0f', left))
  end
end
return {'given', #gone}
