#!lua flags=allow-oom
-- Forgets an expired order before its time: there are more than are kept. One that was paid meanwhile stays.
-- KEYS[1] order  {P}:order:<id>
-- KEYS[2] kept   {P}:kept
-- ARGV[1] id     order id
-- include place
-- returns forgotten
-- returns stays
local order, kept, id = KEYS[1], KEYS[2], ARGV[1]
local state, known = redis.call('HGET', order, 'state'), redis.call('ZSCORE', kept, id)
-- Write.
if known then
  redis.call('ZREM', kept, id)
end
if state ~= 'expired' then
  return {'stays'}
end
redis.call('UNLINK', order)
return {'forgotten'}
