-- In front of every script that draws: whether the slot is who it was known as. Its name stands behind the other KEYS, who it
-- was behind the other ARGV. A store that was emptied or exchanged a moment ago is neither drawn from nor written to.
if redis.call('GET', table.remove(KEYS)) ~= table.remove(ARGV) then
  return redis.error_reply('ELSEWHERE this is not the store that was there')
end
