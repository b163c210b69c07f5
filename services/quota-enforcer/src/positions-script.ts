/**
 * Purpose: take newer positions into the read copy and tell the gates, in one step.
 * Keys: 1 = hash organization_id → JSON of contract `publishedPosition`.
 * Args: 1 = channel; then three for each position: organization_id, as_of_ms, JSON.
 * Returns: how many were not older than the copy; only these are written, and published as one array.
 */
export const POSITIONS_SCRIPT = `
local newer = {}
for i = 2, #ARGV, 3 do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  local ok, entry = pcall(cjson.decode, held or 'null')
  local as_of = ok and type(entry) == 'table' and tonumber(entry.as_of_ms) or 0
  if tonumber(ARGV[i + 1]) >= as_of then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    newer[#newer + 1] = ARGV[i + 2]
  end
end
if #newer > 0 then redis.call('PUBLISH', ARGV[1], '[' .. table.concat(newer, ',') .. ']') end
return #newer
`
