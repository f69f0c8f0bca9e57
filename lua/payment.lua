#!lua flags=allow-oom
-- A person finishes an extra or orphan payment: it was paid back, or its money is counted for an order, which its record
-- names from here on. Or it goes back to where it waited, since it cannot be.
-- KEYS[1] pay     {P}:pay:<id>
-- KEYS[2] review  {P}:review
-- KEYS[3] outbox  {P}:outbox
-- ARGV[1] payment  <channel>|<trade number>
-- ARGV[2] from     what its record says now: extra, orphan, refunded, or adopted|<for>
-- ARGV[3] to       refunded, adopted, extra or orphan
-- ARGV[4] id       order id, or the whole number where it is not of our form
-- ARGV[5] for      the payment number, or the order, that it is counted for; or empty
-- ARGV[6] event    what the outbox says
-- ARGV[7] log      a line for the history of the order that it is counted for, or empty
-- ARGV[8] now      ms since the epoch, by the store's clock
-- ARGV[9] twins    the other channels of the same account, a blank between them; or empty
-- include place look
-- returns done
-- returns wrong_state state for
-- returns known state
local pay, review, outbox = KEYS[1], KEYS[2], KEYS[3]
local payment, from, to, id, target = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local event, log, now, twins = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local record = redis.call('HGET', pay, payment) or 'missing||||'
local was, place, rest = string.match(record, '^(%a+)|([^|]*)|(.*)$')
if to == 'adopted' and was == 'adopted' and place == target then
  return {'done'}
elseif string.sub(record, 1, #from + 1) ~= from .. '|' then
  return {'wrong_state', was, place}
end
if was == 'orphan' then
  -- Another channel of the account may have brought it, and it is settled there.
  local amount, number = string.match(rest, '^([^|]*|[^|]*)|[^|]*|(.*)$')
  local known = look(pay, payment, number, amount, twins)
  if known and event ~= 'known' then
    return {'known', known}
  end
end
redis.call('ZCARD', review)
redis.call('XLEN', outbox)
-- Write.
redis.call('HSET', pay, payment, to .. '|' .. (target ~= '' and target or place) .. '|' .. rest)
if to == 'extra' or to == 'orphan' then
  redis.call('ZADD', review, now, to .. ':' .. id .. ':' .. payment)
else
  redis.call('ZREM', review, was .. ':' .. id .. ':' .. payment)
end
redis.call('XADD', outbox, '*', 'event', event, 'order', id, 'payment', payment, 'for', target, 'was', was, 'log', log)
return {'done'}
