-- names gives a product's pool, stock and owed queue, which live in the slot of its orders.
local function names(order, product)
  local base = string.sub(order, 1, string.find(order, ':order:', 1, true))
  return base .. 'pool:' .. product, base .. 'stock:' .. product, base .. 'owed:' .. product
end
-- free is what an order without a live reservation may draw: pool minus reserved, and nothing while an older order waits.
local function free(pool, stock, owed)
  if redis.call('LLEN', owed) > 0 then
    return 0
  end
  return redis.call('LLEN', pool) - tonumber(redis.call('HGET', stock, 'reserved') or '0')
end
-- take draws n keys from the left of a pool, oldest first. The caller has checked that the pool holds them. What was given
-- is not counted beside it: it is what was imported and is neither in the pool nor voided.
local function take(pool, n)
  if n == 0 then
    return {}
  end
  return redis.call('LPOP', pool, n)
end
-- give writes n keys behind place `at` of a list into an order as k1, k2, …, with other fields in the same command where
-- they fit: `unpack` fails at about 8,000 items.
local function give(order, keys, at, n, ...)
  if n == 1 then
    redis.call('HSET', order, 'k1', keys[at + 1], ...)
    return
  end
  for from = 1, n, 500 do
    local fields = {}
    for i = from, math.min(from + 499, n) do
      fields[#fields + 1] = 'k' .. i
      fields[#fields + 1] = keys[at + i]
    end
    redis.call('HSET', order, unpack(fields))
  end
  redis.call('HSET', order, ...)
end
