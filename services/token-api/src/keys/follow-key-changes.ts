import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { gateKeys } from '../gate/gate-keys.ts'
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
  /**
   * Resolves when the message is on its way to every instance, or, where fewer heard it than there are, when none believes
   * the key as it was any more. An instance that has been without Redis for a minute is not known: it believes the key
   * until `KEY_LEASE_MS` are over.
   */
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
  // Every instance has a gate, which is kept in the registry for a minute after its last heartbeat.
  const tellAll = async (keyId: string): Promise<boolean> => {
    const { registry } = gateKeys(namespace)
    const [heard, registered] = await Promise.all([redis.publish(channel, keyId), redis.zcard(registry)])
    return heard >= registered
  }
  subscriber.on('ready', subscribe).on('message', onMessage)
  if (subscriber.status === 'ready') subscribe()
  return {
    announce: async (keyId) => {
      cache.forget(keyId)
      if (!(await tellAll(keyId).catch(onError))) await delay(KEY_LEASE_MS)
    },
    stop: () => void subscriber.off('ready', subscribe).off('message', onMessage),
  }
}
