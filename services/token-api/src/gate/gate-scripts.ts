/**
 * Purpose: a heartbeat: enter the instance in the registry and send the beat, in this order, in one step: no lease is
 * renewed by a beat that the registry does not know.
 * Keys: 1 = registry, 2 = since. Args: 1 = instance, 2 = channel, 3 = nonce. Returns: nothing of use.
 */
export const BEAT_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[2], now, 'NX')
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('PUBLISH', ARGV[2], ARGV[3])
`

/**
 * Purpose: take revocations into the read copy, announce them, and say who may hold a lease at this moment.
 * Keys: 1 = registry, 2 = since, 3 = revocations. Args: 1 = channel, 2 = message, 3 = lease in ms, then two for each
 * revocation: expires_at (seconds), member.
 * Returns: { age of the registry in ms, then for each instance: id, ms until its lease has run out }.
 */
export const ANNOUNCE_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = tonumber(ARGV[3])
redis.call('SET', KEYS[2], now, 'NX')
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[3], 'GT', ARGV[i], ARGV[i + 1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', time[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 60000)
local answer = { now - tonumber(redis.call('GET', KEYS[2])) }
local leased = redis.call('ZRANGEBYSCORE', KEYS[1], now - lease, '+inf', 'WITHSCORES')
for i = 1, #leased, 2 do
  answer[#answer + 1] = leased[i]
  answer[#answer + 1] = tonumber(leased[i + 1]) + lease - now
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return answer
`
