#!lua flags=allow-oom
-- Gives a delivered order a fresh key for a bad one; the bad one is burned.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] given   {P}:given:<id>
-- KEYS[3] burned  {P}:burned:<product>
-- KEYS[4] outbox  {P}:outbox
-- ARGV[1] position  place of the bad key in the order's list, from 0
-- ARGV[2] sealed    the bad key as the caller saw it there
-- ARGV[3] id        order id
-- ARGV[4] log       a line for the order's history
-- returns replaced | short | changed | wrong_state state
local order, given, burned, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local position, sealed, id, log = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local o = redis.call('HMGET', order, 'state', 'pool', 'stock', 'owed', 'log')
local state, pool, stock, owed = o[1], o[2], o[3], o[4]
if state ~= 'delivered' then
  return {'wrong_state', state or 'missing'}
end
if redis.call('LINDEX', given, position) ~= sealed then
  return {'changed'}
end
if free(pool, stock, owed) < 1 then
  return {'short'}
end
-- Write.
redis.call('LSET', given, position, redis.call('LPOP', pool))
redis.call('RPUSH', burned, sealed)
redis.call('HINCRBY', stock, 'voided', 1)
redis.call('HSET', order, 'log', (o[5] or '') .. log)
redis.call('XADD', outbox, '*', 'event', 'replaced', 'order', id)
return {'replaced'}
