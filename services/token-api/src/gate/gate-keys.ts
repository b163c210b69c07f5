/** Names of what gates share in Redis. The braces keep the keys of one script on one node of a Redis Cluster. */
export function gateKeys(namespace: string) {
  const prefix = `{${namespace}:gate}`
  return {
    /** Sorted set: instance → when it last beat, in milliseconds of Redis' own clock. */
    registry: `${prefix}:instances`,
    /** Since when the registry is kept: a young one may not know everybody yet. */
    since: `${prefix}:since`,
    /** Sorted set: `sid <id>` or `jti <id>` → when it may be forgotten, in seconds since the epoch. */
    revocations: `${prefix}:revocations`,
    /** Stands while the sorted set is known to be complete; a wiped Redis has lost it. */
    complete: `${prefix}:complete`,
    /** Channel of revocations, and of their acknowledgements to one instance. */
    announcements: `${prefix}:announcements`,
    acknowledgements: (instanceId: string) => `${prefix}:acknowledgements:${instanceId}`,
  }
}
