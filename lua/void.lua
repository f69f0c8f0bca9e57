#!lua flags=allow-oom
-- Takes keys out of sale, from what is not reserved: named ones, or the oldest.
-- It needs no place: what was sold since the store was doubted is voided before the store is accepted.
-- KEYS[1] pool    {P}:pool:<product>
-- KEYS[2] stock   {P}:stock:<product>
-- KEYS[3] voided  {P}:voided:<product>
-- KEYS[4] owed    {P}:owed:<product>
-- KEYS[5] outbox  {P}:outbox
-- ARGV[1] product  product id
-- ARGV[2] count    how many of the oldest, at most 1,000; 0 when keys are named
-- ARGV[3] sealed   the named keys
-- include draw
-- returns voided count
local pool, stock, voided, owed, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local product, count = ARGV[1], tonumber(ARGV[2])
local room = free(pool, stock, owed)
local keys = {}
if count > 0 then
  count = math.min(count, room)
else
  for i = 3, #ARGV do
    if #keys < room and redis.call('LPOS', pool, ARGV[i]) then
      keys[#keys + 1] = ARGV[i]
    end
  end
  count = #keys
end
redis.call('LLEN', voided)
redis.call('XLEN', outbox)
-- Write.
if count <= 0 then
  return {'voided', 0}
end
if #keys > 0 then
  -- A key that was named twice leaves the pool once.
  count = 0
  for _, sealed in ipairs(keys) do
    if redis.call('LREM', pool, 1, sealed) == 1 then
      redis.call('RPUSH', voided, sealed)
      count = count + 1
    end
  end
else
  for _ = 1, count do
    redis.call('LMOVE', pool, voided, 'LEFT', 'RIGHT')
  end
end
redis.call('HINCRBY', stock, 'voided', count)
redis.call('XADD', outbox, '*', 'event', 'voided', 'product', product)
return {'voided', count}
