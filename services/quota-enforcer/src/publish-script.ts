/**
 * Purpose: take newer enforcement states into the read copy and tell the gates, in one step.
 * Keys: 1 = hash of what is published: field → JSON of contract `enforcement` or `enforcementControl`.
 * Args: 1 = channel; then four for each state: field, epoch, revision (both bigint text), JSON.
 * Returns: how many were newer than the copy; only these are written and published.
 * Epoch, then revision, compared as text (length, then digits): Lua's numbers are doubles.
 */
export const PUBLISH_SCRIPT = `
local function stored(text)
  if not text then return nil end
  local ok, entry = pcall(cjson.decode, text)
  if not ok or type(entry) ~= 'table' or type(entry.revision) ~= 'string' then return nil end
  local epoch = '1'
  if type(entry.epoch) == 'number' then epoch = string.format('%.0f', entry.epoch) end
  return { epoch = epoch, revision = entry.revision }
end

local function compare(a, b)
  if #a ~= #b then return #a - #b end
  if a == b then return 0 end
  if a > b then return 1 end
  return -1
end

local function is_newer(epoch, revision, than)
  if than == nil then return true end
  local by_epoch = compare(epoch, than.epoch)
  if by_epoch ~= 0 then return by_epoch > 0 end
  return compare(revision, than.revision) > 0
end

local written = 0
for i = 2, #ARGV, 4 do
  local field, epoch, revision, entry = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if is_newer(epoch, revision, stored(redis.call('HGET', KEYS[1], field))) then
    redis.call('HSET', KEYS[1], field, entry)
    redis.call('PUBLISH', ARGV[1], entry)
    written = written + 1
  end
end
return written
`
