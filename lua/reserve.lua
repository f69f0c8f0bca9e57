#!lua
-- Creates an order and, where the product takes at order time, counts its quantity against the pool.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] due     {P}:due
-- KEYS[3] stock   {P}:stock:<product>
-- KEYS[4] pool    {P}:pool:<product>
-- KEYS[5] owed    {P}:owed:<product>
-- KEYS[6] outbox  {P}:outbox
-- ARGV[1] id        order id
-- ARGV[2] quantity  keys wanted, 1 or more
-- ARGV[3] reserve   1 to reserve, 0 to only look (take = "payment")
-- ARGV[4] expires   ms since the epoch
-- ARGV[5] fields    how many field/value arguments follow
-- include place draw
-- returns created
-- returns exists
-- returns short available
local order, due, stock, pool, owed, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local id, quantity, reserve, expires = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if redis.call('EXISTS', order) == 1 then
  return {'exists'}
end
local available = free(pool, stock, owed)
if available < quantity then
  return {'short', available}
end
local reserved = 0
if reserve == '1' then
  reserved = quantity
end
redis.call('ZCARD', due)
redis.call('XLEN', outbox)
-- Write.
redis.call('HSET', order, 'state', 'pending', 'reserved', reserved, unpack(ARGV, 6, 5 + tonumber(ARGV[5])))
if reserved > 0 then
  redis.call('HINCRBY', stock, 'reserved', reserved)
end
redis.call('ZADD', due, expires, id)
redis.call('XADD', outbox, '*', 'event', 'reserved', 'order', id)
return {'created'}
