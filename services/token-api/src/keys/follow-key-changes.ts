import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { KEY_LEASE_MS, type ServiceKeyCache } from '../ingest/authenticate-service-key.ts'

/** What following stands on. */
export interface FollowKeyOptions {
  /** A connection that is only ever subscribed; others may subscribe on it too. */
  readonly subscriber: Redis
  readonly redis: Redis
  readonly namespace: string
  readonly cache: Pick<ServiceKeyCache, 'forget' | 'distrust'>
  readonly onError: (error: unknown) => void
}

/** Hears of changed keys, and tells the other instances. */
export interface KeyChanges {
  /** Resolves when no instance believes the key as it was. */
  announce(keyId: string): Promise<void>
  stop(): void
}

const keyChannel = (namespace: string): string => `${namespace}:service-keys`

/**
 * Keeps the cached keys of all instances true: a change is published, and each forgets the key at once. A message that
 * is missed is harmless after the lease, since a key is believed no longer than that without a question.
 */
export function followKeyChanges({ subscriber, redis, namespace, cache, onError }: FollowKeyOptions): KeyChanges {
  const channel = keyChannel(namespace)
  const subscribe = () => {
    // In this order: what is asked after the subscription began is current, and what was known before it may not be.
    void subscriber.subscribe(channel).then(cache.distrust, onError)
  }
  const onMessage = (from: string, keyId: string) => {
    if (from === channel) cache.forget(keyId)
  }
  subscriber.on('ready', subscribe).on('message', onMessage)
  if (subscriber.status === 'ready') subscribe()
  return {
    announce: async (keyId) => {
      cache.forget(keyId)
      try {
        await redis.publish(channel, keyId)
      } catch (error) {
        onError(error)
        await delay(KEY_LEASE_MS)
      }
    },
    stop: () => void subscriber.off('ready', subscribe).off('message', onMessage),
  }
}
