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
-- include place
-- returns claimed ours
local claims, owner, full, levels = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local count = #ARGV - 3
local seen, done = {}, {}
for level = 0, levels - 1 do
  -- Those of one bucket are asked for in one call.
  local groups, buckets = {}, {}
  for i = 1, count do
    if not done[i] then
      local bucket = KEYS[2 + (i - 1) * levels + level]
      if not groups[bucket] then
        groups[bucket] = {}
        buckets[#buckets + 1] = bucket
      end
      table.insert(groups[bucket], i)
    end
  end
  for _, bucket in ipairs(buckets) do
    local prints = {}
    for n, i in ipairs(groups[bucket]) do
      prints[n] = ARGV[i + 3]
    end
    local known = redis.call('SMISMEMBER', bucket, unpack(prints))
    local room = redis.call('SCARD', bucket) < full
    for n, i in ipairs(groups[bucket]) do
      seen[i] = known[n] == 1
      done[i] = seen[i] or room
    end
  end
end
local holders = redis.call('HMGET', claims, unpack(ARGV, 4))
local ours, fresh = {}, {}
for i = 1, count do
  if seen[i] or (holders[i] and holders[i] ~= owner) then
    ours[i] = '0'
  else
    ours[i] = '1'
    if not holders[i] then
      fresh[#fresh + 1] = ARGV[i + 3]
      fresh[#fresh + 1] = owner
    end
  end
end
-- Write.
if #fresh > 0 then
  redis.call('HSET', claims, unpack(fresh))
end
return {'claimed', table.concat(ours)}
