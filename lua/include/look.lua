-- What is known of a payment: under its own name, under the names that the other channels of its account (`twins`, a blank
-- between them) give it, and under our number, where the gateway told none of its own. Gives back what became of it; a
-- record that learns the gateway's number; and the names under which it waits as an orphan.
local function look(pay, payment, number, amount, twins)
  local call = redis.call
  local channel, trade = string.match(payment, '^([^|]*)|(.*)$')
  local fields, waits = {payment, channel .. '|' .. number}, {}
  for twin in string.gmatch(twins, '[^ ]+') do
    fields[#fields + 1], fields[#fields + 2] = twin .. '|' .. trade, twin .. '|' .. number
  end
  local known = call('HMGET', pay, unpack(fields))
  local state, renamed
  for i = 1, #fields, 2 do
    local was = known[i] and string.match(known[i], '^%a+')
    if was == 'orphan' then
      waits[#waits + 1] = fields[i]
    elseif was then
      state = state or was
    end
  end
  for i = 2, #fields, 2 do
    local was, paid = string.match(known[i] or '', '^(%a+)|[^|]*|([^|]*|[^|]*)|')
    if paid == amount and fields[i] ~= fields[i - 1] then
      if was == 'orphan' then
        waits[#waits + 1] = fields[i]
      elseif not state then
        state = was
        -- One that waits for a person, or was finished by one, keeps the name that he saw.
        if was == 'settled' or was == 'held' then
          renamed = {ours = fields[i], name = fields[i - 1], record = known[i]}
        end
      end
    end
  end
  if state or trade ~= number then
    return state, renamed, waits
  end
  -- Asked about, and named by our number alone: its callback may have told the gateway's own before.
  local all, orphans = call('HGETALL', pay), {}
  for i = 1, #all, 2 do
    local of, was = string.match(all[i], '^[^|]*'), string.match(all[i + 1], '^%a+')
    local paid, as = string.match(all[i + 1], '^%a+|[^|]*|([^|]*|[^|]*)|[^|]*|(.*)$')
    local ours = of == channel or string.find(' ' .. twins .. ' ', ' ' .. of .. ' ', 1, true)
    if ours and paid == amount and as == number then
      if was == 'orphan' then
        orphans[#orphans + 1] = all[i]
      else
        state = was
      end
    end
  end
  return state, nil, orphans
end
