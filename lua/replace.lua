#!lua flags=allow-oom
-- Gives a delivered order a fresh key for a bad one; the bad one is burned.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] burned  {P}:burned:<product>
-- KEYS[3] outbox  {P}:outbox
-- ARGV[1] position  place of the bad key among the order's, from 1
-- ARGV[2] sealed    the bad key as the caller saw it there
-- ARGV[3] id        order id
-- ARGV[4] log       a line for the order's history
-- include place draw
-- returns replaced
-- returns short
-- returns changed
-- returns wrong_state state
local order, burned, outbox = KEYS[1], KEYS[2], KEYS[3]
local position, sealed, id, log = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local o = redis.call('HMGET', order, 'state', 'product', 'k' .. position, 'log')
local state, product = o[1], o[2]
if state ~= 'delivered' then
  return {'wrong_state', state or 'missing'}
end
if o[3] ~= sealed then
  return {'changed'}
end
local pool, stock, owed = names(order, product)
if free(pool, stock, owed) < 1 then
  return {'short'}
end
redis.call('LLEN', burned)
redis.call('XLEN', outbox)
-- Write.
redis.call('HSET', order, 'k' .. position, redis.call('LPOP', pool), 'log', (o[4] or '') .. log)
redis.call('RPUSH', burned, sealed)
redis.call('HINCRBY', stock, 'voided', 1)
redis.call('XADD', outbox, '*', 'event', 'replaced', 'order', id)
return {'replaced'}
