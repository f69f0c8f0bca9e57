#!lua flags=allow-oom
-- Settles owed orders of one product, strictly oldest first, from what is not reserved.
-- KEYS[1] stock   {P}:stock:<product>
-- KEYS[2] pool    {P}:pool:<product>
-- KEYS[3] owed    {P}:owed:<product>
-- KEYS[4] outbox  {P}:outbox
-- KEYS[5] marks   {P}:marks
-- KEYS[6] order   {P}:order:<id>, one for each id
-- ARGV[1] now      ms since the epoch, by the store's clock
-- ARGV[2] product  product id
-- ARGV[3] ids      the head of the owed list as the caller saw it, in order
-- include place draw
-- returns settled count
-- returns more count
-- returns idle
local stock, pool, owed, outbox, marks = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now, product = ARGV[1], ARGV[2]
local room = redis.call('LLEN', pool) - tonumber(redis.call('HGET', stock, 'reserved') or '0')
local queue = redis.call('LRANGE', owed, 0, #ARGV - 3)
local plan, stuck = {}, false
for i = 3, #ARGV do
  local order = KEYS[i + 3]
  local quantity = tonumber(redis.call('HGET', order, 'quantity'))
  if queue[i - 2] ~= ARGV[i] or not quantity then
    break
  end
  if quantity > room then
    stuck = true
    break
  end
  room = room - quantity
  plan[#plan + 1] = {order = order, quantity = quantity, id = ARGV[i]}
end
local rest = redis.call('LLEN', owed) - #plan
redis.call('SCARD', marks)
redis.call('XLEN', outbox)
-- Write.
for _, p in ipairs(plan) do
  redis.call('LPOP', owed)
  give(p.order, take(pool, p.quantity), 0, p.quantity, 'state', 'delivered', 'delivered', now)
  redis.call('XADD', outbox, '*', 'event', 'delivered', 'order', p.id)
end
if rest == 0 or stuck then
  redis.call('SREM', marks, product)
  if #plan == 0 then
    return {'idle'}
  end
  return {'settled', #plan}
end
return {'more', #plan}
