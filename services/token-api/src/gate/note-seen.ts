import { type EnforcementSeen, enforcementSeenKey } from '@tollgate/shared/contracts'
import type { Redis } from 'ioredis'

/**
 * Purpose: keep the newest (epoch, revision) that any gate was told. KEYS[1] = hash; ARGV = epoch, revision (digits).
 * Returns: 1 when it was newer. Revisions are compared as text, since a Lua number cannot tell large ones apart.
 */
const SEEN_SCRIPT = `
local epoch, revision = redis.call('HGET', KEYS[1], 'epoch'), redis.call('HGET', KEYS[1], 'revision')
local function older(one, other) return #one < #other or (#one == #other and one < other) end
if epoch and (older(ARGV[1], epoch) or (ARGV[1] == epoch and not older(revision, ARGV[2]))) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2])
return 1`

/** Notes in Redis what this gate was told last. Rejects while Redis is away. */
export async function noteSeen(redis: Redis, namespace: string, seen: EnforcementSeen | undefined): Promise<void> {
  if (seen === undefined) return
  await redis.eval(SEEN_SCRIPT, 1, enforcementSeenKey(namespace), String(seen.epoch), seen.revision)
}
