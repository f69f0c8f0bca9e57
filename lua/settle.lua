#!lua flags=allow-oom
-- Turns one verified payment into delivered goods, or into a record that a person or a restock finishes.
-- KEYS[1] order   {P}:order:<id>
-- KEYS[2] pay     {P}:pay:<id>
-- KEYS[3] given   {P}:given:<id>
-- KEYS[4] due     {P}:due
-- KEYS[5] outbox  {P}:outbox
-- KEYS[6] review  {P}:review
-- KEYS[7] marks   {P}:marks
-- ARGV[1] now       ms since the epoch, by the store's clock
-- ARGV[2] id        order id, or the whole number where it is not of our form
-- ARGV[3] attempt   two characters
-- ARGV[4] payment   <channel>|<trade number>
-- ARGV[5] due       <channel>|<amount in minor units>|<currency>, what the attempt must say, as text
-- ARGV[6] channel   the channel that verified it
-- ARGV[7] number    the payment number as it came
-- ARGV[8] log       a line for the order's history, or empty
-- returns delivered | owed | held reason | extra | orphan reason | replayed state | (then) product quantity created
local order, pay, given, due, outbox, review, marks = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local now, id, attempt, payment, paid, channel, number, log = unpack(ARGV)
local before = redis.call('HGET', pay, payment)
local was = before and string.match(before, '^%a+')
if was and was ~= 'orphan' then
  return {'replayed', was}
end
local o = redis.call('HMGET', order, 'state', 'product', 'quantity', 'reserved', 'pool', 'stock', 'owed', 'created',
  'a:' .. attempt, 'log')
local state, product, quantity, reserved = o[1], o[2], tonumber(o[3]), tonumber(o[4])
local pool, stock, owed, created, expected = o[5], o[6], o[7], o[8], o[9]
local amount = string.match(paid, '|(.*)$')
local verdict, reason = nil, ''
if not expected then
  verdict, reason = 'orphan', 'order_unknown'
elseif string.match(expected, '^[^|]*') ~= channel then
  verdict, reason = 'orphan', 'channel_mismatch'
elseif state == 'pending' or state == 'expired' or state == 'held' then
  if expected ~= paid then
    verdict = state == 'held' and 'extra' or 'held'
    reason = string.match(expected, '[^|]*$') == string.match(paid, '[^|]*$') and 'amount_mismatch' or 'currency_mismatch'
  elseif reserved > 0 then
    -- reserved <= pool always holds; if it ever did not, nothing may be called delivered without its keys.
    verdict = redis.call('LLEN', pool) >= quantity and 'delivered' or 'owed'
  else
    verdict = free(pool, stock, owed) >= quantity and 'delivered' or 'owed'
  end
else
  verdict = 'extra'
end
if verdict == 'orphan' and was then
  return {'orphan', reason}
end
local paystate = (verdict == 'delivered' or verdict == 'owed') and 'settled' or verdict
-- Write.
redis.call('HSET', pay, payment, paystate .. '|' .. attempt .. '|' .. amount .. '|' .. now .. '|' .. number)
if verdict == 'orphan' then
  redis.call('ZADD', review, now, 'orphan:' .. id .. ':' .. payment)
  redis.call('XADD', outbox, '*', 'event', 'orphan', 'order', id, 'payment', payment)
  return {'orphan', reason}
end
if was then
  redis.call('ZREM', review, 'orphan:' .. id .. ':' .. payment)
end
if log ~= '' then
  redis.call('HSET', order, 'log', (o[10] or '') .. log)
end
if verdict == 'extra' then
  redis.call('ZADD', review, now, 'extra:' .. id .. ':' .. payment)
  redis.call('XADD', outbox, '*', 'event', 'extra', 'order', id, 'payment', payment)
  return {'extra', product, quantity, created}
end
if reserved > 0 then
  redis.call('HINCRBY', stock, 'reserved', -reserved)
end
if state == 'pending' then
  redis.call('ZREM', due, id)
elseif state == 'expired' then
  redis.call('PERSIST', order)
elseif state == 'held' then
  redis.call('ZREM', review, 'held:' .. id)
  local other = redis.call('HGETALL', pay)
  for i = 1, #other, 2 do
    if string.match(other[i + 1], '^held|') then
      redis.call('HSET', pay, other[i], (string.gsub(other[i + 1], '^held', 'extra')))
      redis.call('ZADD', review, now, 'extra:' .. id .. ':' .. other[i])
    end
  end
end
if verdict == 'delivered' then
  draw(pool, given, quantity)
  redis.call('HSET', order, 'state', 'delivered', 'reserved', 0, 'paid', now, 'delivered', now)
elseif verdict == 'owed' then
  redis.call('RPUSH', owed, id)
  redis.call('SADD', marks, product)
  redis.call('HSET', order, 'state', 'owed', 'reserved', 0, 'paid', now)
else
  redis.call('HSET', order, 'state', 'held', 'reserved', 0, 'paid', now, 'why', reason)
  redis.call('ZADD', review, now, 'held:' .. id)
  redis.call('SADD', marks, product)
end
redis.call('XADD', outbox, '*', 'event', verdict, 'order', id, 'payment', payment)
if verdict == 'held' then
  return {'held', reason, product, quantity, created}
end
return {verdict, product, quantity, created}
