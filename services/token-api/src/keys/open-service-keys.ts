import type { Redis } from 'ioredis'
import type { Store } from '../bind-store.ts'
import {
  type AuthenticateServiceKey,
  createServiceKeyCache,
  type ServiceKeyCache,
} from '../ingest/authenticate-service-key.ts'
import { followKeyChanges } from './follow-key-changes.ts'
import { noteKeyUses } from './note-key-uses.ts'

/** Authentication of servers by their keys, over all instances. */
export interface ServiceKeys {
  readonly authenticate: AuthenticateServiceKey
  readonly recall: ServiceKeyCache['recall']
  /** To be called after a key was changed. See `KeyChanges`. */
  readonly announce: (keyId: string) => Promise<void>
  readonly stop: () => Promise<void>
}

/** What it stands on. */
export interface ServiceKeysOptions {
  readonly store: Pick<Store, 'findKey' | 'touchKeys'>
  readonly subscriber: Redis
  readonly redis: Redis
  readonly namespace: string
  readonly bootstrapKey: string | undefined
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

/** Opens it: the cache, its invalidation, and the note of each key's last use. */
export function openServiceKeys(options: ServiceKeysOptions): ServiceKeys {
  const { store, now, onError, bootstrapKey } = options
  const uses = noteKeyUses({ touch: store.touchKeys, now, onError })
  const cache = createServiceKeyCache({ findKey: store.findKey, now, bootstrapKey, onUsed: uses.note })
  const changes = followKeyChanges({ ...options, cache })
  return {
    authenticate: cache.authenticate,
    recall: cache.recall,
    announce: changes.announce,
    stop: async () => {
      changes.stop()
      await uses.stop()
    },
  }
}
