/** Collects which keys were used, and writes it now and then. */
export interface KeyUses {
  /** Costs the caller nothing but an entry in a map. */
  note(keyId: string): void
  /** Writes what has been noted. Never rejects: when a key was used last is nothing that a request may fail for. */
  flush(): Promise<void>
  /** Writes for the last time. */
  stop(): Promise<void>
}

/** What noting needs from outside. */
export interface KeyUseOptions {
  /** @throws StoreError */
  readonly touch: (keys: { id: string; used_at: string }[]) => Promise<unknown>
  readonly now: () => number
  readonly intervalMs?: number
  readonly onError: (error: unknown) => void
}

const INTERVAL_MS = 10_000
// Within this time a key is not written again: its use is known well enough.
const PRECISION_MS = 60_000

/** Starts noting; at most one statement every ten seconds, however many requests there are. */
export function noteKeyUses({ touch, now, intervalMs = INTERVAL_MS, onError }: KeyUseOptions): KeyUses {
  const noted = new Map<string, number>()
  const writtenAtMs = new Map<string, number>()

  const flush = async (): Promise<void> => {
    if (noted.size === 0) return
    const keys = [...noted]
    noted.clear()
    try {
      await touch(keys.map(([id, usedAtMs]) => ({ id, used_at: new Date(usedAtMs).toISOString() })))
    } catch (error) {
      onError(error)
      return
    }
    for (const [id] of keys) writtenAtMs.set(id, now())
  }

  const timer = setInterval(() => void flush(), intervalMs)
  timer.unref()
  return {
    note: (keyId) => {
      if (now() - (writtenAtMs.get(keyId) ?? Number.NEGATIVE_INFINITY) >= PRECISION_MS) noted.set(keyId, now())
    },
    flush,
    stop: async () => {
      clearInterval(timer)
      await flush()
    },
  }
}
