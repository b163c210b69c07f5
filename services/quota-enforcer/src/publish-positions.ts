import {
  changedPositionsKey,
  type PublishedPosition,
  positionsKey,
  publishedPosition,
} from '@tollgate/shared/contracts'
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

async function publishOf(rpc: Rpc, organizations: string[], publish: PublishPositions): Promise<void> {
  const rows = await rpc('list_positions', { query: { organizations } })
  await publish(rows.map(toPublished))
}
