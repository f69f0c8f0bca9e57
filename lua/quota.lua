#!lua
-- Counts an order against a limit that is kept by what it limits: a buyer's address or contact.
-- KEYS[1] quota   {P}:quota:<hash>
-- ARGV[1] now     ms since the epoch, by the store's clock
-- ARGV[2] until   ms since the epoch, when this order stops counting
-- ARGV[3] member  <order id>|<weight>
-- ARGV[4] weight  what this order counts
-- ARGV[5] limit   the highest sum allowed
-- returns counted | full used
local quota, now, member, weight, limit = KEYS[1], ARGV[1], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local used = 0
for _, other in ipairs(redis.call('ZRANGE', quota, '(' .. now, '+inf', 'BYSCORE')) do
  if other ~= member then
    used = used + tonumber(string.match(other, '%d+$'))
  end
end
if used + weight > limit then
  return {'full', used}
end
-- Write.
redis.call('ZREMRANGEBYSCORE', quota, '-inf', now)
redis.call('ZADD', quota, ARGV[2], member)
local last = redis.call('ZRANGE', quota, -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', quota, string.format('%.0f', tonumber(last[2])))
return {'counted'}
