-- draw moves n keys from the left of a pool to the end of an order's list, oldest first. What was given is not counted
-- beside it: it is what was imported and is neither in the pool nor voided.
-- One key moves without its bytes passing through Lua; more go in chunks, because `unpack` fails at about 8,000 items.
-- The caller has checked that the pool holds n keys.
local function draw(pool, given, n)
  if n == 1 then
    redis.call('LMOVE', pool, given, 'LEFT', 'RIGHT')
  else
    local left = n
    while left > 0 do
      local chunk = redis.call('LPOP', pool, math.min(left, 1000))
      redis.call('RPUSH', given, unpack(chunk))
      left = left - #chunk
    end
  end
end
-- free is what an order without a live reservation may draw: pool minus reserved, and nothing while an older order waits.
local function free(pool, stock, owed)
  if redis.call('LLEN', owed) > 0 then
    return 0
  end
  return redis.call('LLEN', pool) - tonumber(redis.call('HGET', stock, 'reserved') or '0')
end
