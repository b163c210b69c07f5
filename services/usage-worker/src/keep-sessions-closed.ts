import { setTimeout as delay } from 'node:timers/promises'
import type { Rpc } from '@tollgate/shared/store'
import type { UsageMetrics } from './metrics.ts'

/** What closing chat sessions stands on. */
export interface CloseSessionsOptions {
  readonly rpc: Rpc
  readonly metrics: Pick<UsageMetrics, 'sessionsClosed'>
  /** A session without activity for so long is idle, in seconds. */
  readonly idleSeconds: number
  readonly onError: (error: unknown) => void
  readonly stopping: AbortSignal
}

const ROUND_MS = 5_000
const CLOSED_AT_A_TIME = 500

/** Closes chat sessions that are over though nobody ended them, every 5 s until stopped; any number of workers may. */
export async function keepSessionsClosed(options: CloseSessionsOptions): Promise<void> {
  const { stopping, onError } = options
  while (!stopping.aborted) {
    await closeSessions(options).catch(onError)
    await delay(ROUND_MS, undefined, { signal: stopping }).catch(() => undefined)
  }
}

/** One round, in small bites: what ingestion writes meanwhile is left for the next one. @throws StoreError */
async function closeSessions({ rpc, metrics, idleSeconds, stopping }: CloseSessionsOptions): Promise<void> {
  while (!stopping.aborted) {
    const rows = await rpc('close_sessions', { idle_seconds: idleSeconds, max_rows: CLOSED_AT_A_TIME })
    for (const { reason, sessions } of rows) metrics.sessionsClosed.inc({ reason: knownReason(reason) }, sessions)
    if (rows.reduce((sum, { sessions }) => sum + sessions, 0) < CLOSED_AT_A_TIME) return
  }
}

// The end of a login may have any reason; a label has few values.
const knownReason = (reason: string): string =>
  reason === 'idle' || reason === 'organization_revoked' ? reason : 'login_ended'
