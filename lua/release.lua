#!lua flags=allow-oom
-- Lets a pending order expire: its reservation goes back to the pool as a number; the order leaves Redis some days later.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] due     {P}:due
-- KEYS[3] outbox  {P}:outbox
-- KEYS[4] marks   {P}:marks
-- ARGV[1] now     ms since the epoch, by the store's clock
-- ARGV[2] id      order id
-- ARGV[3] keep    ms until an expired order is forgotten
-- ARGV[4] log     a line for the order's history, or empty
-- include place draw
-- returns expired
-- returns waiting
-- returns past
local order, due, outbox, marks = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, id, keep, log = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local o = redis.call('HMGET', order, 'state', 'expires', 'reserved', 'product', 'log')
local state, expires, reserved, product = o[1], tonumber(o[2]), tonumber(o[3]), o[4]
if state == 'pending' and expires > now then
  return {'waiting'}
end
local stock
if state == 'pending' then
  stock = select(2, names(order, product))
  redis.call('HLEN', stock)
end
redis.call('ZCARD', due)
redis.call('SCARD', marks)
redis.call('XLEN', outbox)
-- Write.
redis.call('ZREM', due, id)
if state ~= 'pending' then
  return {'past'}
end
redis.call('HSET', order, 'state', 'expired', 'reserved', 0)
if log ~= '' then
  redis.call('HSET', order, 'log', (o[5] or '') .. log)
end
if reserved > 0 then
  redis.call('HINCRBY', stock, 'reserved', -reserved)
  redis.call('SADD', marks, product)
end
redis.call('PEXPIRE', order, keep)
redis.call('XADD', outbox, '*', 'event', 'expired', 'order', id)
return {'expired'}
