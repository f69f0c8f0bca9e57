#!lua flags=allow-oom
-- A person finishes an extra or orphan payment: it was paid back, or its money was counted for another order.
-- KEYS[1] pay     {P}:pay:<id>
-- KEYS[2] review  {P}:review
-- KEYS[3] outbox  {P}:outbox
-- ARGV[1] payment  <channel>|<trade number>
-- ARGV[2] from     extra or orphan
-- ARGV[3] to       refunded or adopted
-- ARGV[4] id       order id, or the whole number where it is not of our form
-- returns done | wrong_state state
local pay, review, outbox = KEYS[1], KEYS[2], KEYS[3]
local payment, from, to, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local record = redis.call('HGET', pay, payment)
local was = record and string.match(record, '^%a+') or 'missing'
if was ~= from then
  return {'wrong_state', was}
end
redis.call('ZCARD', review)
redis.call('XLEN', outbox)
-- Write.
redis.call('HSET', pay, payment, to .. string.sub(record, #was + 1))
redis.call('ZREM', review, from .. ':' .. id .. ':' .. payment)
redis.call('XADD', outbox, '*', 'event', to, 'order', id, 'payment', payment)
return {'done'}
