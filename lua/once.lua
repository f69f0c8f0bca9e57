#!lua
-- Begins a request under an Idempotency-Key: the first one runs, its repeats wait or get its answer.
-- KEYS[1] once    {P}:idem:<hash>
-- ARGV[1] body    hash of the request
-- ARGV[2] patience  ms after which a request that never ended may run again
-- returns run
-- returns running
-- returns other
-- returns done answer
local once, body, patience = KEYS[1], ARGV[1], ARGV[2]
local record = redis.call('HMGET', once, 'body', 'answer')
if record[1] then
  if record[1] ~= body then
    return {'other'}
  elseif record[2] then
    return {'done', record[2]}
  end
  return {'running'}
end
-- Write.
redis.call('HSET', once, 'body', body)
redis.call('PEXPIRE', once, patience)
return {'run'}
