import { setTimeout as delay } from 'node:timers/promises'
import { ProblemError } from '@tollgate/shared/contracts'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { EnforcementCopy, GateState } from './enforcement-copy.ts'
import { gateKeys } from './gate-keys.ts'
import { ANNOUNCE_SCRIPT } from './gate-scripts.ts'
import type { Revocation, RevocationCopy } from './revocations.ts'

/** What announcing stands on. */
export interface AnnounceOptions {
  readonly redis: Redis
  readonly copy: RevocationCopy
  readonly enforcement: Pick<EnforcementCopy, 'apply'>
  readonly namespace: string
  readonly instanceId: string
  readonly leaseMs: number
  readonly monotonicNow: () => number
  readonly newId: () => string
  /** Told how long it took, and how many gates did not acknowledge and were waited out. */
  readonly onAnnounced: (seconds: number, silent: number) => void
}

/** Tells the gates what they must refuse. */
export interface Announcer {
  /**
   * Resolves when every gate that may hold a lease knows it, or its lease has run out: no accept begins after that.
   * `deafMs` is how long gates without Redis may go on. @throws ProblemError `unavailable` when Redis does not answer
   */
  announce(revocations: readonly Revocation[], deafMs?: number): Promise<void>
  /** The same for what holds for an organization, or for one of its users, now. */
  announceState(state: GateState, deafMs: number): Promise<void>
  /** Takes a message of this instance's acknowledgement channel. */
  acknowledge(message: string): void
}

const MAX_PER_MESSAGE = 500
const GIVE_UP_MS = 1_500
const RETRY_MS = 50
const answerOf = z.array(z.union([z.number(), z.string()])).min(1)

/** Makes the announcer of one instance. */
export function createAnnouncer(options: AnnounceOptions): Announcer {
  const pending = new Map<string, (instanceId: string) => void>()

  async function announceSome(news: News, deafMs: number): Promise<number> {
    const begunAtMs = options.monotonicNow()
    const nonce = options.newId()
    const heard = new Set<string>()
    let onHeard: (() => void) | undefined
    pending.set(nonce, (instanceId) => {
      heard.add(instanceId)
      onHeard?.()
    })
    try {
      const { ageMs, leases } = await publish(nonce, news, options)
      const isYoung = ageMs < options.leaseMs
      const floorMs = Math.max(deafMs, isYoung ? options.leaseMs : 0) - (options.monotonicNow() - begunAtMs)
      const waits = [...leases].map(([instanceId, leftMs]) =>
        untilHeard(
          () => heard.has(instanceId),
          leftMs,
          (wake) => {
            const previous = onHeard
            onHeard = () => {
              previous?.()
              wake()
            }
          },
        ),
      )
      const known = await Promise.all([...waits, delay(Math.max(0, floorMs), true)])
      return known.filter((isKnown) => !isKnown).length
    } finally {
      pending.delete(nonce)
    }
  }

  return {
    announce: async (revocations, deafMs = 0) => {
      const begunAtMs = options.monotonicNow()
      for (const revocation of revocations) options.copy.apply(revocation)
      let silent = 0
      for (let from = 0; from < revocations.length; from += MAX_PER_MESSAGE) {
        silent += await announceSome({ revocations: revocations.slice(from, from + MAX_PER_MESSAGE) }, deafMs)
      }
      if (revocations.length > 0) options.onAnnounced((options.monotonicNow() - begunAtMs) / 1_000, silent)
    },
    announceState: async (state, deafMs) => {
      const begunAtMs = options.monotonicNow()
      options.enforcement.apply(state)
      const silent = await announceSome({ revocations: [], state }, deafMs)
      options.onAnnounced((options.monotonicNow() - begunAtMs) / 1_000, silent)
    },
    acknowledge: (message) => {
      const [nonce = '', instanceId = ''] = message.split(' ')
      pending.get(nonce)?.(instanceId)
    },
  }
}

/** What gates must know: what they refuse from now on, and where an organization stands. */
interface News {
  readonly revocations: readonly Revocation[]
  readonly state?: GateState
}

/** Publishes once Redis answers; gives the age of the registry, and for how long each other instance may hold a lease. */
async function publish(nonce: string, { revocations, state }: News, options: AnnounceOptions) {
  const { redis, namespace, instanceId, leaseMs, monotonicNow } = options
  const keys = gateKeys(namespace)
  const message = JSON.stringify({ nonce, from: instanceId, revocations, state })
  const entries = revocations.flatMap(({ kind, id, expires_at }) => [expires_at, `${kind} ${id}`])
  const giveUpAtMs = monotonicNow() + GIVE_UP_MS
  for (;;) {
    try {
      const args = [keys.registry, keys.since, keys.revocations, keys.announcements, message, leaseMs, ...entries]
      const [ageMs, ...pairs] = answerOf.parse(await redis.eval(ANNOUNCE_SCRIPT, 3, ...args))
      const leases = new Map<string, number>()
      for (let i = 0; i < pairs.length; i += 2) leases.set(String(pairs[i]), Number(pairs[i + 1]))
      leases.delete(instanceId)
      return { ageMs: Number(ageMs), leases }
    } catch (error) {
      if (monotonicNow() >= giveUpAtMs) {
        const detail = 'It is on record and will be refused, but not every gate could be told yet: repeat the request.'
        throw new ProblemError('unavailable', detail, { cause: error, retryAfterSeconds: 1 })
      }
      await delay(RETRY_MS)
    }
  }
}

/** Whether the gate has acknowledged before its lease ran out. */
async function untilHeard(
  isHeard: () => boolean,
  leftMs: number,
  listen: (wake: () => void) => void,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  listen(() => {
    if (isHeard()) resolve(true)
  })
  const timer = setTimeout(() => resolve(isHeard()), Math.max(0, leftMs))
  if (isHeard()) resolve(true)
  return promise.finally(() => clearTimeout(timer))
}
