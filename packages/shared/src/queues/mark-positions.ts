import type { Redis } from 'ioredis'
import { changedPositionsKey } from '../contracts/index.ts'

/** Tells the quota-enforcer whose positions to publish anew. */
export interface PositionMarks {
  /** Never throws and is not waited for. */
  mark(organizationIds: Iterable<string>): void
  stop(): void
}

/** What marking stands on. */
export interface MarkOptions {
  readonly redis: Pick<Redis, 'sadd'>
  readonly namespace: string
  /** Told of marks that Redis did not take; the enforcer's audit finds the organizations. */
  readonly onError: (error: unknown) => void
}

// Marks are gathered: one command, however many transactions were committed meanwhile.
const GATHER_MS = 50

/** Makes the marker; a mark is a member of a set, so that repeating one costs nothing. */
export function createPositionMarks({ redis, namespace, onError }: MarkOptions): PositionMarks {
  const waiting = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  const send = () => {
    timer = undefined
    const ids = [...waiting]
    waiting.clear()
    redis.sadd(changedPositionsKey(namespace), ...ids).catch(onError)
  }
  return {
    mark: (organizationIds) => {
      for (const id of organizationIds) waiting.add(id)
      if (waiting.size > 0) timer ??= setTimeout(send, GATHER_MS)
    },
    stop: () => {
      clearTimeout(timer)
      if (waiting.size > 0) send()
    },
  }
}
