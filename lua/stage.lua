#!lua
-- Puts a chunk of sealed keys on its way into a pool; from here on a kill loses nothing.
-- KEYS[1] staged   {P}:staged:<batch>
-- KEYS[2] staging  {P}:staging
-- ARGV[1] now     ms since the epoch, by the store's clock
-- ARGV[2] member  <product>|<batch>
-- ARGV[3] sealed  the keys of the chunk, each once, behind each its further fingerprints (12 bytes); at most 4,000
-- include place
-- returns staged
-- returns exists
local staged, staging, now, member = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
if redis.call('EXISTS', staged) == 1 then
  return {'exists'}
end
redis.call('ZCARD', staging)
-- Write.
redis.call('RPUSH', staged, unpack(ARGV, 3))
redis.call('ZADD', staging, now, member)
return {'staged'}
