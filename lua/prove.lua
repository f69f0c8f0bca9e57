#!lua flags=allow-oom
-- Writes as much as some fifty payments do, which a Redis on a full disk does not survive although it starts and answers.
-- KEYS[1] proof   {catalog}:proof, the last time somebody looked
-- ARGV[1] now     ms since the epoch, by the store's clock
-- returns written
local proof, now = KEYS[1], ARGV[1]
-- Write.
redis.call('SET', proof, string.rep(' ', 32768))
redis.call('SET', proof, now)
return {'written'}
