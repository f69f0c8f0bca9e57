#!lua
-- Writes what an attempt was opened with: what its payment must name again, and how it is paid.
-- KEYS[1] order      {P}:order:<id>
-- ARGV[1] attempt    two characters
-- ARGV[2] reference  the gateway's own number, time or address of the attempt, or empty
-- ARGV[3] step       how it is paid, JSON, or empty
-- include place
-- returns opened
-- returns closed
local order, attempt, reference, step = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local known = redis.call('HMGET', order, 'state', 'r:' .. attempt)
if known[1] ~= 'pending' then
  return {'closed'}
end
-- Write.
if reference ~= '' then
  redis.call('HSET', order, 'r:' .. attempt, reference)
end
if step ~= '' then
  redis.call('HSET', order, 's:' .. attempt, step)
end
return {'opened'}
