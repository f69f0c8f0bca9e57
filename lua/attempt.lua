#!lua
-- Adds one more way to pay a pending order: attempt n+1 with its own channel, amount and currency.
-- KEYS[1] order    {P}:order:<id>
-- ARGV[1] now      ms since the epoch, by the store's clock
-- ARGV[2] attempt  two characters
-- ARGV[3] price    <channel>|<amount in minor units>|<currency>
-- include place
-- returns added
-- returns taken
-- returns closed
local order, now, attempt, price = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3]
local o = redis.call('HMGET', order, 'state', 'expires', 'a:' .. attempt)
if o[1] ~= 'pending' or tonumber(o[2]) <= now then
  return {'closed'}
end
if o[3] then
  return {'taken'}
end
-- Write.
redis.call('HSET', order, 'a:' .. attempt, price)
return {'added'}
