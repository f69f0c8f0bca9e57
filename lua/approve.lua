#!lua flags=allow-oom
-- A person accepts a held payment: the order is delivered from what is not reserved, or joins the owed queue.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] pay     {P}:pay:<id>
-- KEYS[3] outbox  {P}:outbox
-- KEYS[4] review  {P}:review
-- KEYS[5] marks   {P}:marks
-- ARGV[1] now     ms since the epoch, by the store's clock
-- ARGV[2] id      order id
-- ARGV[3] log     a line for the order's history
-- include place draw
-- returns delivered
-- returns owed
-- returns wrong_state state
local order, pay, outbox, review, marks = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now, id, log = ARGV[1], ARGV[2], ARGV[3]
local o = redis.call('HMGET', order, 'state', 'product', 'quantity', 'log')
local state, product, quantity = o[1], o[2], tonumber(o[3])
if state ~= 'held' then
  return {'wrong_state', state or 'missing'}
end
local pool, stock, owed = names(order, product)
local verdict = free(pool, stock, owed) >= quantity and 'delivered' or 'owed'
local payments = redis.call('HGETALL', pay)
redis.call('ZCARD', review)
redis.call('SCARD', marks)
redis.call('XLEN', outbox)
-- Write.
for i = 1, #payments, 2 do
  if string.match(payments[i + 1], '^held|') then
    redis.call('HSET', pay, payments[i], (string.gsub(payments[i + 1], '^held', 'settled')))
  end
end
redis.call('ZREM', review, 'held:' .. id)
redis.call('HSET', order, 'state', verdict, 'log', (o[4] or '') .. log)
if verdict == 'delivered' then
  give(order, take(pool, quantity), 0, quantity, 'delivered', now)
else
  redis.call('RPUSH', owed, id)
  redis.call('SADD', marks, product)
end
redis.call('XADD', outbox, '*', 'event', verdict, 'order', id)
return {verdict}
