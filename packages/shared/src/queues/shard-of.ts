const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/**
 * The shard of an organization: 32-bit FNV-1a of its id, modulo. Stable over processes and releases; changing the
 * number of shards moves organizations, which is harmless, since Postgres alone decides what counts.
 */
export function shardOf(organizationId: string, shards: number): number {
  if (!Number.isInteger(shards) || shards < 1) throw new RangeError('shards must be a positive integer')
  let hash = FNV_OFFSET
  for (const byte of new TextEncoder().encode(organizationId)) hash = Math.imul(hash ^ byte, FNV_PRIME)
  return (hash >>> 0) % shards
}
