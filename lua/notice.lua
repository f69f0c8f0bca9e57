#!lua flags=allow-oom
-- Writes how far a notice got, and keeps the two lists in step: what is to be sent, and what was given up.
-- KEYS[1] holder   {P}:order:<id> of its buyer's notice, {P}:news:<id> of an operator's
-- KEYS[2] notices  {P}:notices, or {P}:notices:<notifier> of an operators' notifier
-- KEYS[3] dead     {P}:dead
-- ARGV[1] id       order id, or topic:notifier:about
-- ARGV[2] once     1: only where there is no notice yet
-- ARGV[3] state    waiting | sent | dead | dropped
-- ARGV[4] score    when it is to be sent (waiting) or was given up (dead), ms
-- ARGV[5] notice   state|again|tries|at|by|why
-- ARGV[6] at       when the news happened, ms, where they are to be written; or empty
-- ARGV[7] data     what happened, JSON, where at is given
-- ARGV[8] keep     ms that the holder stays once nothing is to be sent any more; 0: for good
-- returns written
-- returns known
-- returns gone
local holder, notices, dead = KEYS[1], KEYS[2], KEYS[3]
local id, once, state, score, notice = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local at, data, keep = ARGV[6], ARGV[7], ARGV[8]
local known, there = redis.call('HGET', holder, 'notice'), redis.call('EXISTS', holder)
local waiting, given_up = redis.call('ZSCORE', notices, id), redis.call('ZSCORE', dead, id)
local reply = 'written'
if there == 0 and at == '' then
  -- What it is about has left: nothing of it may stay in a list for ever.
  reply, state = 'gone', 'gone'
elseif once == '1' and known then
  return {'known'}
end
-- Write.
if reply == 'written' then
  redis.call('HSET', holder, 'notice', notice)
  if at ~= '' then
    redis.call('HSET', holder, 'at', at, 'data', data)
  end
  if keep ~= '0' and (state == 'sent' or state == 'dropped') then
    redis.call('PEXPIRE', holder, keep)
  elseif keep ~= '0' then
    redis.call('PERSIST', holder)
  end
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
