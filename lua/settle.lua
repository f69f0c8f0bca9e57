#!lua flags=allow-oom
-- Turns verified payments into delivered goods, or into records that a person or a restock finishes. Several at once, all
-- of one slot and each of another order, so that what they share is read and written once. All are judged before any is
-- written. Behind the replies stands the outbox' entry, or an empty text where nothing was written.
-- KEYS[1] due     {P}:due
-- KEYS[2] outbox  {P}:outbox
-- KEYS[3] review  {P}:review
-- KEYS[4] marks   {P}:marks
-- KEYS[5] order   {P}:order:<id>, then its {P}:pay:<id>; one such pair for each payment
-- ARGV[1] now       ms since the epoch, by the store's clock
-- ARGV[2] id        order id, or the whole number where it is not of our form; from here nine for each payment
-- ARGV[3] attempt   two characters
-- ARGV[4] payment   <channel>|<trade number>
-- ARGV[5] price     <channel>|<amount in minor units>|<currency>, what the attempt must say, as text
-- ARGV[6] number    the payment number as it came
-- ARGV[7] log       a line for the order's history, or empty
-- ARGV[8] mark      s: a person stated the payment, or counted it for the order; t: its gateway told it
-- ARGV[9] reference what the attempt must have been opened with, where it says; or empty
-- ARGV[10] twins    the other channels of the same account, a blank between them; or empty
-- include place draw look
-- returns delivered product quantity created
-- returns owed product quantity created
-- returns held reason product quantity created
-- returns extra product quantity created
-- returns orphan reason
-- returns replayed state
local call = redis.call
local due, outbox, review, marks, now = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local shelves, plans, replies, named = {}, {}, {}, {}
-- What is left of a product while the payments before this one are counted.
local function shelf_of(order, product)
  local shelf = shelves[product]
  if not shelf then
    local pool, stock, owed = names(order, product)
    shelf = {pool = pool, stock = stock, owed = owed, left = call('LLEN', pool), drawn = 0, released = 0,
      reserved = tonumber(call('HGET', stock, 'reserved') or '0'), waiting = call('LLEN', owed)}
    shelves[product] = shelf
  end
  return shelf
end
local function judge(order, state, reserved, product, quantity, expected, price, opened, reference)
  if not expected then
    return 'orphan', 'order_unknown'
  elseif expected ~= price and string.match(expected, '^[^|]*') ~= string.match(price, '^[^|]*') then
    return 'orphan', 'channel_mismatch'
  elseif opened ~= '' and reference ~= '' and opened ~= reference then
    return 'orphan', 'order_mismatch'
  elseif state ~= 'pending' and state ~= 'expired' and state ~= 'held' then
    return 'extra', ''
  elseif expected ~= price then
    local currency = string.match(expected, '[^|]*$') == string.match(price, '[^|]*$')
    return state == 'held' and 'extra' or 'held', currency and 'amount_mismatch' or 'currency_mismatch'
  end
  local shelf = shelf_of(order, product)
  -- reserved <= pool always holds; if it ever did not, nothing may be called delivered without its keys.
  local room = shelf.left
  if reserved == 0 then
    room = shelf.waiting > 0 and 0 or shelf.left - shelf.reserved
  end
  if room < quantity then
    shelf.waiting = shelf.waiting + 1
    return 'owed', ''
  end
  shelf.left, shelf.drawn = shelf.left - quantity, shelf.drawn + quantity
  return 'delivered', ''
end
for n = 1, (#KEYS - 4) / 2 do
  local order, pay = KEYS[2 * n + 3], KEYS[2 * n + 4]
  local id, attempt, payment, price, number, log, mark, reference, twins = unpack(ARGV, 9 * n - 7, 9 * n + 1)
  local amount = string.match(price, '|(.*)$')
  local known, renamed, waits = look(pay, payment, number, amount, twins)
  local was = #waits > 0
  if known then
    replies[n] = {'replayed', known}
    if renamed or was then
      named[#named + 1] = {id = id, pay = pay, payment = payment, renamed = renamed, waits = waits}
    end
  else
    local o = call('HMGET', order, 'state', 'reserved', 'product', 'quantity', 'created', 'a:' .. attempt,
      'r:' .. attempt)
    local state, reserved, product, quantity = o[1], tonumber(o[2]), o[3], tonumber(o[4])
    local verdict, reason = judge(order, state, reserved, product, quantity, o[6], price, o[7] or '', reference)
    if verdict == 'orphan' then
      replies[n] = {'orphan', reason}
    elseif verdict == 'held' then
      replies[n] = {'held', reason, product, quantity, o[5]}
    else
      replies[n] = {verdict, product, quantity, o[5]}
    end
    if verdict ~= 'orphan' and verdict ~= 'extra' and reserved > 0 then
      local shelf = shelf_of(order, product)
      shelf.reserved, shelf.released = shelf.reserved - reserved, shelf.released + reserved
    end
    if verdict ~= 'orphan' or not was then
      local history = log ~= '' and (call('HGET', order, 'log') or '') .. log
      plans[#plans + 1] = {order = order, pay = pay, id = id, attempt = attempt, payment = payment, number = number,
        mark = mark, amount = amount, waits = waits, state = state, product = product, quantity = quantity,
        verdict = verdict, reason = reason, history = history}
    end
  end
end
call('ZCARD', due)
call('ZCARD', review)
call('SCARD', marks)
call('XLEN', outbox)
-- Write.
for _, shelf in pairs(shelves) do
  if shelf.released > 0 then
    call('HINCRBY', shelf.stock, 'reserved', -shelf.released)
  end
  shelf.keys, shelf.at = take(shelf.pool, shelf.drawn), 0
end
local settled, events = {}, {}
-- An orphan whose payment is known leaves the lane: nobody may count it once more.
local function forget(p)
  for _, orphan in ipairs(p.waits) do
    call('HDEL', p.pay, orphan)
    call('ZREM', review, 'orphan:' .. p.id .. ':' .. orphan)
  end
end
for _, p in ipairs(named) do
  forget(p)
  if p.renamed then
    call('HSET', p.pay, p.renamed.name, p.renamed.record)
    call('HDEL', p.pay, p.renamed.ours)
  end
  local at = #events
  events[at + 1], events[at + 2], events[at + 3] = 'event', 'named', 'order'
  events[at + 4], events[at + 5], events[at + 6] = p.id, 'payment', p.payment
end
for _, p in ipairs(plans) do
  local order, verdict, payment = p.order, p.verdict, p.payment
  forget(p)
  local paystate = (verdict == 'delivered' or verdict == 'owed') and 'settled' or verdict
  call('HSET', p.pay, payment, paystate .. '|' .. p.attempt .. '|' .. p.amount .. '|' .. now .. p.mark .. '|' .. p.number)
  if p.history and verdict ~= 'orphan' then
    call('HSET', order, 'log', p.history)
  end
  if verdict == 'orphan' or verdict == 'extra' then
    call('ZADD', review, now, verdict .. ':' .. p.id .. ':' .. payment)
  end
  if verdict ~= 'orphan' and verdict ~= 'extra' then
    if p.state == 'pending' then
      settled[#settled + 1] = p.id
    elseif p.state == 'expired' then
      call('PERSIST', order)
    else
      call('ZREM', review, 'held:' .. p.id)
      local other = call('HGETALL', p.pay)
      for i = 1, #other, 2 do
        if string.match(other[i + 1], '^held|') then
          call('HSET', p.pay, other[i], (string.gsub(other[i + 1], '^held', 'extra')))
          call('ZADD', review, now, 'extra:' .. p.id .. ':' .. other[i])
        end
      end
    end
  end
  if verdict == 'delivered' then
    local shelf = shelves[p.product]
    give(order, shelf.keys, shelf.at, p.quantity, 'state', 'delivered', 'reserved', 0, 'paid', now, 'delivered', now)
    shelf.at = shelf.at + p.quantity
  elseif verdict == 'owed' then
    call('RPUSH', shelves[p.product].owed, p.id)
    call('SADD', marks, p.product)
    call('HSET', order, 'state', 'owed', 'reserved', 0, 'paid', now)
  elseif verdict == 'held' then
    call('HSET', order, 'state', 'held', 'reserved', 0, 'paid', now, 'why', p.reason)
    call('ZADD', review, now, 'held:' .. p.id)
    call('SADD', marks, p.product)
  end
  local at = #events
  events[at + 1], events[at + 2], events[at + 3] = 'event', verdict, 'order'
  events[at + 4], events[at + 5], events[at + 6] = p.id, 'payment', payment
end
if #settled > 0 then
  call('ZREM', due, unpack(settled))
end
local entry = ''
if #events > 0 then
  entry = call('XADD', outbox, '*', unpack(events))
end
replies[#replies + 1] = entry
return replies
