#!lua flags=allow-oom
-- A person refuses a held payment: nothing is delivered, the money is to be given back.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] outbox  {P}:outbox
-- KEYS[3] review  {P}:review
-- ARGV[1] id      order id
-- ARGV[2] log     a line for the order's history
-- include place
-- returns rejected
-- returns wrong_state state
local order, outbox, review = KEYS[1], KEYS[2], KEYS[3]
local id, log = ARGV[1], ARGV[2]
local o = redis.call('HMGET', order, 'state', 'log')
if o[1] ~= 'held' then
  return {'wrong_state', o[1] or 'missing'}
end
redis.call('ZCARD', review)
redis.call('XLEN', outbox)
-- Write.
redis.call('HSET', order, 'state', 'rejected', 'log', (o[2] or '') .. log)
redis.call('ZREM', review, 'held:' .. id)
redis.call('XADD', outbox, '*', 'event', 'rejected', 'order', id)
return {'rejected'}
