#!lua flags=allow-oom
-- Marks an order as refunded. Its keys have been seen by a buyer: they are burned, never put back into the pool. Where it
-- is one payment that was given back, only if that one still stands for the order.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] pay     {P}:pay:<id>
-- KEYS[3] outbox  {P}:outbox
-- KEYS[4] review  {P}:review
-- KEYS[5] marks   {P}:marks
-- KEYS[6] burned  {P}:burned:<product>
-- ARGV[1] id      order id
-- ARGV[2] log     a line for the order's history
-- ARGV[3] payment <channel>|<trade number> that was given back, or empty
-- include place draw
-- returns refunded burned
-- returns wrong_state state
local order, pay, outbox, review, marks, burned = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local id, log, given = ARGV[1], ARGV[2], ARGV[3]
local o = redis.call('HMGET', order, 'state', 'product', 'quantity', 'log')
local state, product, quantity = o[1], o[2], tonumber(o[3])
if state ~= 'delivered' and state ~= 'owed' and state ~= 'held' and state ~= 'rejected' then
  return {'wrong_state', state or 'missing'}
end
local payments = redis.call('HGETALL', pay)
if given ~= '' then
  local stands = string.match(redis.call('HGET', pay, given) or 'missing', '^%a+')
  if stands ~= 'settled' and stands ~= 'held' then
    return {'wrong_state', stands}
  end
end
local _, stock, owed = names(order, product)
local spent = {}
for i = 1, state == 'delivered' and quantity or 0 do
  spent[i] = redis.call('HGET', order, 'k' .. i) or nil
end
redis.call('LLEN', owed)
redis.call('HLEN', stock)
redis.call('LLEN', burned)
redis.call('ZCARD', review)
redis.call('SCARD', marks)
redis.call('XLEN', outbox)
-- Write.
for i = 1, #payments, 2 do
  local was = string.match(payments[i + 1], '^%a+')
  if was == 'settled' or was == 'held' then
    redis.call('HSET', pay, payments[i], 'refunded' .. string.sub(payments[i + 1], #was + 1))
  end
end
if state == 'owed' then
  redis.call('LREM', owed, 1, id)
  redis.call('SADD', marks, product)
elseif state == 'held' then
  redis.call('ZREM', review, 'held:' .. id)
end
for i = 1, #spent do
  redis.call('RPUSH', burned, spent[i])
  redis.call('HDEL', order, 'k' .. i)
end
if #spent > 0 then
  redis.call('HINCRBY', stock, 'voided', #spent)
end
redis.call('HSET', order, 'state', 'refunded', 'log', (o[4] or '') .. log)
redis.call('XADD', outbox, '*', 'event', 'refunded', 'order', id)
return {'refunded', #spent}
