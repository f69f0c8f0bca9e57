#!lua flags=allow-oom
-- Writes the claims of a committed chunk into the record of everything ever imported.
-- KEYS[1] claims  {P}:claims
-- KEYS[2] seen    {P}:seen:<level>:<bucket>; as many as there are levels for each fingerprint
-- ARGV[1] owner   <slot>|<product>|<batch>
-- ARGV[2] full    members from which a bucket is full
-- ARGV[3] levels  buckets for each fingerprint
-- ARGV[4] prints  the fingerprints, as decimal 64-bit integers
-- returns finished
local claims, owner, full, levels = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
-- Write.
for i = 4, #ARGV do
  local print = ARGV[i]
  if redis.call('HGET', claims, print) == owner then
    local first = 2 + (i - 4) * levels
    local bucket = KEYS[first + levels - 1]
    for level = 0, levels - 1 do
      if redis.call('SCARD', KEYS[first + level]) < full then
        bucket = KEYS[first + level]
        break
      end
    end
    redis.call('SADD', bucket, print)
    redis.call('HDEL', claims, print)
  end
end
return {'finished'}
