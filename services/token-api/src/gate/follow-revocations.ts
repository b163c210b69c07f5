import type { Rpc } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Announcer } from './announce-revocations.ts'
import type { EnforcementCopy } from './enforcement-copy.ts'
import { gateKeys } from './gate-keys.ts'
import { gateState } from './load-enforcement.ts'
import type { Revocation, RevocationCopy } from './revocations.ts'

/** What following stands on. */
export interface FollowRevocationsOptions {
  readonly redis: Redis
  readonly rpc: Rpc
  readonly copy: RevocationCopy
  readonly enforcement: Pick<EnforcementCopy, 'apply'>
  readonly announcer: Announcer
  readonly namespace: string
  readonly instanceId: string
  readonly now: () => number
}

/** The part of the gate that knows revocations; `followEnforcement` calls it at the right moments. */
export interface RevocationFollower {
  readonly channels: readonly string[]
  /** Takes a message of one of the channels; false for a message of another. */
  receive(channel: string, message: string): boolean
  /**
   * Takes over everything that Postgres says, and what the read copy in Redis says beside: a Postgres that was set back
   * to an earlier time has forgotten revocations. Completes the read copy. @throws StoreError
   */
  loadFromPostgres(): Promise<void>
  /** Takes over the read copy in Redis. @throws Error when it is not known to be complete */
  loadFromRedis(): Promise<void>
}

const MAX_PER_COMMAND = 1_000
const CLOCKS_DIFFER_SECONDS = 60
const revocation = z.object({ kind: z.enum(['jti', 'sid']), id: z.string(), expires_at: z.number() })
const announcement = z.object({
  nonce: z.string(),
  from: z.string(),
  revocations: z.array(revocation),
  state: gateState.optional(), // of an organization or a user, where one was ordered
})

/** Makes the follower. */
export function followRevocations(options: FollowRevocationsOptions): RevocationFollower {
  const { redis, rpc, copy, enforcement, announcer, namespace, instanceId, now } = options
  const keys = gateKeys(namespace)
  const own = keys.acknowledgements(instanceId)

  return {
    channels: [keys.announcements, own],
    receive: (channel, message) => {
      if (channel === own) announcer.acknowledge(message)
      else if (channel === keys.announcements) take(message)
      else return false
      return true
    },
    loadFromPostgres: async () => {
      const mirror = await readMirror(redis, keys, now() / 1_000).catch(() => undefined)
      const rows = await rpc('list_revocations', {})
      const revocations = rows.map(
        ({ kind, id, expires_at }): Revocation => ({ kind, id, expires_at: Number(expires_at) }),
      )
      for (const entry of [...revocations, ...(mirror?.revocations ?? [])]) copy.apply(entry)
      copy.prune(now() / 1_000)
      // The copy in Redis is for the time that Postgres is away; that it could not be completed now is no fault.
      if (mirror !== undefined && !holdsAll(mirror, revocations, now() / 1_000)) {
        await completeMirror(redis, keys, revocations).catch(() => undefined)
      }
    },
    loadFromRedis: async () => {
      const { isComplete, revocations } = await readMirror(redis, keys, now() / 1_000)
      if (!isComplete) throw new Error('the revocations in Redis are not known to be complete')
      for (const entry of revocations) copy.apply(entry)
    },
  }

  function take(message: string): void {
    const { nonce, from, revocations, state } = announcement.parse(JSON.parse(message))
    for (const entry of revocations) copy.apply(entry)
    if (state !== undefined) enforcement.apply(state)
    if (from === instanceId) return
    // Unheard, it is waited for until this instance's lease has run out.
    redis.publish(keys.acknowledgements(from), `${nonce} ${instanceId}`).catch(() => undefined)
  }
}

/** The copy in Redis, as one instance reads it. */
interface Mirror {
  readonly isComplete: boolean
  readonly revocations: readonly Revocation[]
}

async function readMirror(redis: Redis, keys: ReturnType<typeof gateKeys>, nowSeconds: number): Promise<Mirror> {
  const [complete, members] = await Promise.all([
    redis.exists(keys.complete),
    redis.zrangebyscore(keys.revocations, nowSeconds, '+inf', 'WITHSCORES'),
  ])
  const revocations: Revocation[] = []
  for (let i = 0; i < members.length; i += 2) {
    const [kind, id] = (members[i] ?? '').split(' ')
    revocations.push(revocation.parse({ kind, id, expires_at: Number(members[i + 1]) }))
  }
  return { isComplete: complete === 1, revocations }
}

/** Whether Redis lacks none: some were lost to a Redis that was away, or set back, or to a process that died before it told. */
function holdsAll({ isComplete, revocations }: Mirror, due: readonly Revocation[], nowSeconds: number): boolean {
  const held = new Set(revocations.map(memberOf))
  // Redis' clock may be ahead of ours, and Redis have dropped what ends just now.
  const isDue = ({ expires_at }: Revocation) => expires_at > nowSeconds + CLOCKS_DIFFER_SECONDS
  return isComplete && due.every((entry) => !isDue(entry) || held.has(memberOf(entry)))
}

const memberOf = ({ kind, id }: Revocation): string => `${kind} ${id}`

async function completeMirror(redis: Redis, keys: ReturnType<typeof gateKeys>, list: readonly Revocation[]) {
  for (let from = 0; from < list.length; from += MAX_PER_COMMAND) {
    const entries = list.slice(from, from + MAX_PER_COMMAND)
    await redis.zadd(keys.revocations, ...entries.flatMap((entry) => [entry.expires_at, memberOf(entry)]))
  }
  await redis.set(keys.complete, '1')
}
