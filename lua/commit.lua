#!lua
-- Moves the claimed keys of a staged chunk to their pool and forgets the others, which are somewhere already.
-- KEYS[1] staged   {P}:staged:<batch>
-- KEYS[2] staging  {P}:staging
-- KEYS[3] pool     {P}:pool:<product>
-- KEYS[4] stock    {P}:stock:<product>
-- KEYS[5] marks    {P}:marks
-- KEYS[6] outbox   {P}:outbox
-- ARGV[1] member   <product>|<batch>
-- ARGV[2] ours     one character for each that is staged: 1 is a key claimed by this chunk
-- ARGV[3] product  product id
-- include place
-- returns committed count
-- returns gone
local staged, staging, pool, stock, marks, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local member, ours, product = ARGV[1], ARGV[2], ARGV[3]
local sealed = redis.call('LRANGE', staged, 0, -1)
if #sealed ~= #ours then
  return {'gone'}
end
local keys = {}
for i = 1, #sealed do
  if string.sub(ours, i, i) == '1' then
    keys[#keys + 1] = sealed[i]
  end
end
redis.call('LLEN', pool)
redis.call('HLEN', stock)
redis.call('ZCARD', staging)
redis.call('SCARD', marks)
redis.call('XLEN', outbox)
-- Write.
if #keys > 0 then
  redis.call('RPUSH', pool, unpack(keys))
  redis.call('HINCRBY', stock, 'imported', #keys)
  redis.call('SADD', marks, product)
  redis.call('XADD', outbox, '*', 'event', 'imported', 'product', product)
end
redis.call('DEL', staged)
redis.call('ZREM', staging, member)
return {'committed', #keys}
