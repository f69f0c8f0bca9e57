#!lua flags=allow-oom
-- Puts voided keys back on sale, those voided last first. Burned keys, which a buyer has seen, cannot come back.
-- KEYS[1] pool    {P}:pool:<product>
-- KEYS[2] stock   {P}:stock:<product>
-- KEYS[3] voided  {P}:voided:<product>
-- KEYS[4] marks   {P}:marks
-- KEYS[5] outbox  {P}:outbox
-- ARGV[1] product  product id
-- ARGV[2] count    how many, at most 1,000
-- include place
-- returns restored count
local pool, stock, voided, marks, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local product, count = ARGV[1], tonumber(ARGV[2])
count = math.min(count, redis.call('LLEN', voided))
redis.call('LLEN', pool)
redis.call('HLEN', stock)
redis.call('SCARD', marks)
redis.call('XLEN', outbox)
-- Write.
if count <= 0 then
  return {'restored', 0}
end
for _ = 1, count do
  redis.call('LMOVE', voided, pool, 'RIGHT', 'RIGHT')
end
redis.call('HINCRBY', stock, 'voided', -count)
redis.call('SADD', marks, product)
redis.call('XADD', outbox, '*', 'event', 'restored', 'product', product)
return {'restored', count}
