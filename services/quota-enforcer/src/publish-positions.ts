import {
  changedPositionsKey,
  type PublishedPosition,
  positionsKey,
  publishedPosition,
} from '@tollgate/shared/contracts'
import { createGroupCommit, type PositionMarks } from '@tollgate/shared/queues'
import type { Rpc, RpcRow } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import { POSITIONS_SCRIPT } from './positions-script.ts'
import { type Repetition, startRepeating } from './repeat.ts'

/** What publishing positions stands on. */
export interface PositionsOptions {
  readonly rpc: Rpc
  /** A connection that fails fast. */
  readonly redis: Redis
  readonly namespace: string
  readonly onError: (error: unknown) => void
  readonly now: () => number
}

const INTERVAL_MS = 250
const MAX_AT_ONCE = 500
// Where thousands of organizations are active at a time, publishing all of them four times a second would take from whoever
// counts and decides; a copy that shows headers may be older then.
const REST_PER_WORK = 9
const POSITIONS_PER_SCRIPT = 100
const GATHER_MS = 20

/** Writes and announces positions. Rejects while Redis is away. */
export type PublishPositions = (positions: readonly PublishedPosition[]) => Promise<void>

/** A position as the database hands it over, in the shape of the contract. */
export function toPublished(row: RpcRow<'list_positions'>): PublishedPosition {
  return publishedPosition.parse({ ...row, as_of_ms: Date.parse(row.as_of) })
}

/** Makes the publisher. */
export function createPublishPositions({ redis, namespace }: Pick<PositionsOptions, 'redis' | 'namespace'>) {
  const key = positionsKey(namespace)
  return async (positions: readonly PublishedPosition[]): Promise<void> => {
    for (let from = 0; from < positions.length; from += POSITIONS_PER_SCRIPT) {
      const args = positions
        .slice(from, from + POSITIONS_PER_SCRIPT)
        .flatMap((position) => [position.organization_id, position.as_of_ms, JSON.stringify(position)])
      await redis.eval(POSITIONS_SCRIPT, 1, key, key, ...args)
    }
  }
}

/**
 * Publishes the positions that have changed, four times a second at most and with a tenth of its time. Several enforcers share the work: each takes
 * other members of the set. One that dies in between leaves a copy behind that the audit puts right.
 */
export function startPublishingPositions(options: PositionsOptions, publish: PublishPositions): Repetition {
  const { rpc, redis, namespace, onError, now } = options
  return startRepeating({
    run: async () => {
      if (redis.status !== 'ready') return
      for (;;) {
        const organizations = await redis.spop(changedPositionsKey(namespace), MAX_AT_ONCE)
        if (organizations.length > 0) await publishOf(rpc, organizations, publish)
        if (organizations.length < MAX_AT_ONCE) return
      }
    },
    intervalMs: INTERVAL_MS,
    restPerWork: REST_PER_WORK,
    onError,
    now,
  })
}

/** Publishes positions without waiting for the next turn of those that are marked. */
export interface PromptPublisher {
  /** Never throws and is not waited for. */
  publish(organizationId: string): void
  drain(): Promise<void>
}

/**
 * Makes the publisher for organizations that were just decided upon: until their position says at which total the next
 * decision is due, nobody knows which usage is urgent. What could not be published is marked.
 */
export function createPromptPublisher(
  { rpc, onError }: Pick<PositionsOptions, 'rpc' | 'onError'>,
  publish: PublishPositions,
  mark: PositionMarks['mark'],
): PromptPublisher {
  const group = createGroupCommit<string, undefined>({
    maxItems: MAX_AT_ONCE,
    maxDelayMs: GATHER_MS,
    maxInFlight: 1,
    flush: async (organizations) => {
      await publishOf(rpc, [...new Set(organizations)], publish)
      return organizations.map(() => undefined)
    },
  })
  return {
    publish: (organizationId) => {
      group.submit(organizationId).catch((error: unknown) => {
        mark([organizationId])
        onError(error)
      })
    },
    drain: group.drain,
  }
}

async function publishOf(rpc: Rpc, organizations: string[], publish: PublishPositions): Promise<void> {
  const rows = await rpc('list_positions', { query: { organizations } })
  await publish(rows.map(toPublished))
}
