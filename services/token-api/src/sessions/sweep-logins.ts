import { setTimeout as delay } from 'node:timers/promises'
import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import type { Announcer } from '../gate/announce-revocations.ts'

type Swept = RpcRow<'sweep_logins'>

/** What the sweep stands on. */
export interface SweepOptions {
  /** @throws StoreError */
  readonly sweep: (limits: RpcArgs<'sweep_logins'>) => Promise<Swept>
  readonly announce: Announcer['announce']
  readonly stopping: AbortSignal
  readonly onSwept: (swept: Swept) => void
  readonly onError: (error: unknown) => void
}

const INTERVAL_MS = 1_000
const MAX_ROWS = 1_000
// About 15 ms of Postgres a second; with more open sessions a round takes as many seconds more.
const SLICE_ROWS = 5_000

/**
 * Once a second ends the login sessions that ran out, and those of users who were deleted, moved to another organization
 * or were given a lower role: Tollgate does not own these tables, so that nothing tells it. Of several instances one does it.
 */
export async function keepLoginsSwept({ sweep, announce, stopping, onSwept, onError }: SweepOptions): Promise<void> {
  let after: string | null = null
  while (!stopping.aborted) {
    try {
      const swept: Swept = await sweep({ max_rows: MAX_ROWS, after, slice_rows: SLICE_ROWS })
      after = swept.next_after
      if (swept.revoked.length > 0) await announce(swept.revoked, swept.deaf_ms)
      onSwept(swept)
    } catch (error) {
      onError(error)
    }
    await delay(INTERVAL_MS, undefined, { signal: stopping }).catch(() => undefined)
  }
}
