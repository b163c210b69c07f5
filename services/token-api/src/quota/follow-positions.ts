import { type PublishedPosition, positionsKey, publishedPosition, publishedPositions } from '@tollgate/shared/contracts'
import type { Redis } from 'ioredis'

/** What this instance knows of where organizations stand; shown, and the order of recording guessed from it; never decided from. */
export interface PositionCopy {
  /** Takes a position if it is not older than what is held. */
  apply(position: PublishedPosition): void
  /** Undefined for an organization that nobody has published yet. */
  get(organizationId: string): PublishedPosition | undefined
}

/** Makes an empty copy; positions may come in any order and more than once. */
export function createPositionCopy(): PositionCopy {
  const held = new Map<string, PublishedPosition>()
  return {
    apply: (position) => {
      const current = held.get(position.organization_id)
      if (current === undefined || position.as_of_ms >= current.as_of_ms) held.set(position.organization_id, position)
    },
    get: (organizationId) => held.get(organizationId),
  }
}

/** What following stands on. */
export interface FollowPositionsOptions {
  /** A connection of its own: it is only ever subscribed. */
  readonly subscriber: Redis
  /** Reads the hash. */
  readonly redis: Pick<Redis, 'hvals'>
  readonly namespace: string
  readonly apply: PositionCopy['apply']
  readonly onError: (error: unknown) => void
}

/**
 * Keeps the copy up to date: subscribes, then reads everything, at each connection. While Redis is away the copy
 * stands still, and with it the headers. Returns what ends it.
 */
export function followPositions({ subscriber, redis, namespace, apply, onError }: FollowPositionsOptions): () => void {
  const key = positionsKey(namespace)
  const load = async () => {
    await subscriber.subscribe(key)
    for (const entry of await redis.hvals(key)) apply(publishedPosition.parse(JSON.parse(entry)))
  }
  const onReady = () => void load().catch(onError)
  const onMessage = (_channel: string, message: string) => {
    try {
      for (const position of publishedPositions.parse(JSON.parse(message))) apply(position)
    } catch (error) {
      onError(new Error('a message about positions cannot be read', { cause: error }))
    }
  }
  subscriber.on('ready', onReady).on('message', onMessage)
  if (subscriber.status === 'ready') onReady()
  return () => {
    subscriber.off('ready', onReady).off('message', onMessage)
  }
}
