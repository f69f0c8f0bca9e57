#!lua flags=allow-oom
-- Writes how far an order's notice got, and keeps the two lists in step: what is to be sent, and what was given up.
-- KEYS[1] order    {P}:order:<id>
-- KEYS[2] notices  {P}:notices
-- KEYS[3] dead     {P}:dead
-- ARGV[1] id       order id
-- ARGV[2] once     1: only where there is no notice yet
-- ARGV[3] state    waiting | sent | dead | dropped
-- ARGV[4] score    when it is to be sent (waiting) or was given up (dead), ms
-- ARGV[5] notice   state|again|tries|at|by|why
-- returns written | known | gone
local order, notices, dead = KEYS[1], KEYS[2], KEYS[3]
local id, once, state, score, notice = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local known = redis.call('HMGET', order, 'state', 'notice')
local waiting, given_up = redis.call('ZSCORE', notices, id), redis.call('ZSCORE', dead, id)
local reply = 'written'
if not known[1] then
  -- Its order has left: nothing of it may stay in a list for ever.
  reply, state = 'gone', 'gone'
elseif once == '1' and known[2] then
  return {'known'}
end
-- Write.
if reply == 'written' then
  redis.call('HSET', order, 'notice', notice)
end
if state == 'waiting' then
  redis.call('ZADD', notices, score, id)
elseif waiting then
  redis.call('ZREM', notices, id)
end
if state == 'dead' then
  redis.call('ZADD', dead, score, id)
elseif given_up then
  redis.call('ZREM', dead, id)
end
return {reply}
