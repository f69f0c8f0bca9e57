#!lua flags=allow-oom
-- Writes whatever stands: the WAIT behind it waits for all that was written before, also where the command before it wrote nothing.
-- KEYS[1] fence   {P}:fence, {catalog}:fence
-- ARGV[1] now     ms since the epoch, by the store's clock
-- returns written
local fence, now = KEYS[1], ARGV[1]
-- Write.
redis.call('SET', fence, now)
return {'written'}
