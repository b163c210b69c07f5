import type pg from 'pg'
import type { DemoStack } from './plan-replay.ts'
import type { QuotaApi } from './quota.ts'
import type { Random } from './random.ts'
import type { RequestJson } from './request-json.ts'

/** Something to show while the demo runs. */
export type DemoProgress =
  | { readonly kind: 'note'; readonly text: string }
  | {
      readonly kind: 'sending'
      readonly done: number
      readonly total: number
      readonly recorded: number
      readonly duplicate: number
      /** Accepted, but not yet known to be recorded. */
      readonly pending: number
    }
  | { readonly kind: 'sent' }

/** What every step of the demo stands on. */
export interface DemoContext {
  readonly stack: DemoStack
  readonly pool: pg.Pool
  readonly request: RequestJson
  readonly quota: QuotaApi
  /** A clock that only rises, in milliseconds. */
  readonly now: () => number
  /** Rejects when `stop` is aborted. */
  readonly sleep: (ms: number, stop?: AbortSignal) => Promise<void>
  readonly random: Random
  readonly signal?: AbortSignal | undefined
  readonly report: (progress: DemoProgress) => void
}

/** Asks until `done` says yes or the time is up; says which it was. */
export async function waitUntil(
  context: Pick<DemoContext, 'now' | 'sleep' | 'signal'>,
  done: () => Promise<boolean>,
  timeoutMs: number,
  intervalMs = 100,
): Promise<boolean> {
  const deadline = context.now() + timeoutMs
  while (!(await done())) {
    context.signal?.throwIfAborted()
    if (context.now() > deadline) return false
    await context.sleep(intervalMs)
  }
  return true
}
