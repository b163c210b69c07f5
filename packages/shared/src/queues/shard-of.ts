const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/**
 * The shard of an organization: 32-bit FNV-1a of its id, modulo. Stable over processes and releases. Another number of
 * shards moves organizations. More are harmless, since Postgres alone decides what counts; with fewer, what waits in those left
 * out is not read.
 */
export function shardOf(organizationId: string, shards: number): number {
  if (!Number.isInteger(shards) || shards < 1) throw new RangeError('shards must be a positive integer')
  let hash = FNV_OFFSET
  // A UUID has ASCII alone: its characters are its bytes. Encoding it would take as long as admitting the event.
  for (let at = 0; at < organizationId.length; at++) hash = Math.imul(hash ^ organizationId.charCodeAt(at), FNV_PRIME)
  return (hash >>> 0) % shards
}
