#!lua flags=allow-oom
-- Marks an order as refunded. Its keys have been seen by a buyer: they are burned, never put back into the pool.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] pay     {P}:pay:<id>
-- KEYS[3] given   {P}:given:<id>
-- KEYS[4] outbox  {P}:outbox
-- KEYS[5] review  {P}:review
-- KEYS[6] marks   {P}:marks
-- KEYS[7] burned  {P}:burned:<product>
-- ARGV[1] now     ms since the epoch, by the store's clock
-- ARGV[2] id      order id
-- ARGV[3] log     a line for the order's history
-- returns refunded burned | wrong_state state
local order, pay, given, outbox, review, marks, burned = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local id, log = ARGV[2], ARGV[3]
local o = redis.call('HMGET', order, 'state', 'product', 'stock', 'owed', 'log')
local state, product, stock, owed = o[1], o[2], o[3], o[4]
if state ~= 'delivered' and state ~= 'owed' and state ~= 'held' and state ~= 'rejected' then
  return {'wrong_state', state or 'missing'}
end
local payments = redis.call('HGETALL', pay)
local keys = redis.call('LLEN', given)
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
for _ = 1, keys do
  redis.call('LMOVE', given, burned, 'LEFT', 'RIGHT')
end
if keys > 0 then
  redis.call('HINCRBY', stock, 'voided', keys)
end
redis.call('HSET', order, 'state', 'refunded', 'log', (o[5] or '') .. log)
redis.call('XADD', outbox, '*', 'event', 'refunded', 'order', id)
return {'refunded', keys}
