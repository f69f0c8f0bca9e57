#!lua
-- Claims the fingerprints of one slot for a chunk, shop-wide: the first chunk to claim a key is the only one to pool it.
-- A fingerprint lives in the first bucket of its levels that is not full, so that a small shop has few buckets and a
-- large one small ones; buckets never shrink, so the search may stop at the first bucket that has room.
-- KEYS[1] claims  {P}:claims
-- KEYS[2] seen    {P}:seen:<level>:<bucket>; as many as there are levels for each fingerprint
-- ARGV[1] owner   <slot>|<product>|<batch>
-- ARGV[2] full    members from which a bucket is full
-- ARGV[3] levels  buckets for each fingerprint
-- ARGV[4] prints  the fingerprints, as decimal 64-bit integers
-- returns claimed ours
local claims, owner, full, levels = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local ours, fresh = {}, {}
for i = 4, #ARGV do
  local print, seen = ARGV[i], false
  for level = 0, levels - 1 do
    local bucket = KEYS[2 + (i - 4) * levels + level]
    if redis.call('SISMEMBER', bucket, print) == 1 then
      seen = true
      break
    end
    if redis.call('SCARD', bucket) < full then
      break
    end
  end
  local holder = not seen and redis.call('HGET', claims, print)
  if seen or (holder and holder ~= owner) then
    ours[#ours + 1] = '0'
  else
    ours[#ours + 1] = '1'
    if not holder then
      fresh[#fresh + 1] = print
    end
  end
end
-- Write.
for _, print in ipairs(fresh) do
  redis.call('HSET', claims, print, owner)
end
return {'claimed', table.concat(ours)}
