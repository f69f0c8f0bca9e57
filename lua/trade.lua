#!lua flags=allow-oom
-- Gives a trade number to an order, unless somebody else gave it away since it was looked at.
-- KEYS[1] trade   {P}:trade:<hash>
-- ARGV[1] seen    the number that it stood with, or empty
-- ARGV[2] order   order id, or the whole number where it is not of our form
-- include place
-- returns moved
-- returns other order
local trade, seen, order = KEYS[1], ARGV[1], ARGV[2]
local holder = redis.call('GET', trade) or ''
if holder ~= seen and holder ~= order then
  return {'other', holder}
end
-- Write.
redis.call('SET', trade, order)
return {'moved'}
