#!lua flags=allow-oom
-- Writes the claims of a committed chunk into the record of everything ever imported.
-- KEYS[1] claims  {P}:claims
-- KEYS[2] seen    {P}:seen:<level>:<bucket>; as many as there are levels for each fingerprint
-- ARGV[1] owner   <slot>|<product>|<batch>
-- ARGV[2] full    members from which a bucket is full
-- ARGV[3] levels  buckets for each fingerprint
-- ARGV[4] prints  the fingerprints, as decimal 64-bit integers
-- include place
-- returns finished
local claims, owner, full, levels = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local holders = redis.call('HMGET', claims, unpack(ARGV, 4))
local sizes = {}
for i = 4, #ARGV do
  if holders[i - 3] == owner then
    local first = 2 + (i - 4) * levels
    for n = first, first + levels - 1 do
      local bucket = KEYS[n]
      sizes[bucket] = sizes[bucket] or redis.call('SCARD', bucket)
    end
  end
end
-- Write.
local finished = {}
for i = 4, #ARGV do
  if holders[i - 3] == owner then
    local first = 2 + (i - 4) * levels
    local bucket = KEYS[first + levels - 1]
    for level = 0, levels - 1 do
      if sizes[KEYS[first + level]] < full then
        bucket = KEYS[first + level]
        break
      end
    end
    -- Counted as Redis counts: whoever looks for it must not stop at an earlier bucket.
    sizes[bucket] = sizes[bucket] + redis.call('SADD', bucket, ARGV[i])
    finished[#finished + 1] = ARGV[i]
  end
end
if #finished > 0 then
  redis.call('HDEL', claims, unpack(finished))
end
return {'finished'}
