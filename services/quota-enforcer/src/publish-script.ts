/**
 * Purpose: take newer enforcement states into the read copy and tell the gates, in one step.
 * Keys: 1 = hash organization_id → JSON of contract `enforcement`.
 * Args: 1 = channel; then three for each state: organization_id, revision (bigint text), JSON.
 * Returns: how many were newer than the copy; only these are written and published.
 * Revisions are compared as text (length, then digits): Lua's numbers are doubles.
 */
export const PUBLISH_SCRIPT = `
local function stored_revision(text)
  if not text then return nil end
  local ok, entry = pcall(cjson.decode, text)
  if ok and type(entry) == 'table' and type(entry.revision) == 'string' then return entry.revision end
  return nil
end

local function is_newer(revision, than)
  if than == nil then return true end
  if #revision ~= #than then return #revision > #than end
  return revision > than
end

local written = 0
for i = 2, #ARGV, 3 do
  local organization_id, revision, entry = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if is_newer(revision, stored_revision(redis.call('HGET', KEYS[1], organization_id))) then
    redis.call('HSET', KEYS[1], organization_id, entry)
    redis.call('PUBLISH', ARGV[1], entry)
    written = written + 1
  end
end
return written
`
