#!lua
-- Writes one product if nobody changed it meanwhile, and moves the catalogue's version on.
-- KEYS[1] products  {P}:products
-- KEYS[2] version   {P}:version
-- ARGV[1] id        product id
-- ARGV[2] revision  the revision the caller changed; 0 for a new product
-- ARGV[3] record    <revision>|<JSON>
-- returns saved
-- returns conflict
local products, version, id, revision, record = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local current = redis.call('HGET', products, id)
local at = current and string.match(current, '^%d+') or '0'
if at ~= revision then
  return {'conflict'}
end
-- A version that is no number would fail below, behind the product.
local moved = tonumber(redis.call('GET', version) or '0') + 1
-- Write.
redis.call('HSET', products, id, record)
redis.call('SET', version, moved)
return {'saved'}
