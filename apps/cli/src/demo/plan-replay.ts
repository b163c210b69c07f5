import type { StackFile } from '@tollgate/local-stack'
import { MAX_LATE_MS } from '@tollgate/shared/contracts'
import { assignRequests } from './assign.ts'
import { buildBatches, type EventBatch, sourceOf } from './build-batches.ts'
import { DemoError } from './demo-error.ts'
import type { TraceRequest } from './read-trace.ts'
import { chooseDays, chooseWindow, shiftTimes, type TimeWindow } from './shift-times.ts'
import { STORYLINES, type Storyline } from './storylines.ts'

/** What the demo needs to know of a running stack: a part of stack.json. */
export type DemoStack = Pick<
  StackFile,
  'tokenApi' | 'supabase' | 'databaseUrl' | 'ingestKey' | 'operatorKey' | 'organizations' | 'users'
>

type DemoUser = DemoStack['users'][number]

/** A demo organization with those of its users who take part. */
export interface Tenant {
  readonly organizationId: string
  readonly domain: string
  readonly storyline: Storyline
  readonly userIds: readonly string[]
  /** Whose access token is watched. */
  readonly watched: DemoUser
}

/** What is sent, and to whom it belongs. */
export interface ReplayPlan {
  readonly seed: number
  readonly source: string
  readonly window: TimeWindow
  readonly batches: readonly EventBatch[]
  readonly eventIds: readonly string[]
}

/** Finds the three demo organizations in a stack. Throws DemoError when one of them, or its users, is not there. */
export function findTenants(stack: Pick<DemoStack, 'organizations' | 'users'>): Tenant[] {
  return STORYLINES.map((storyline) => {
    const organization = stack.organizations.find(({ domain }) => domain === storyline.domain)
    const users = stack.users
      .filter(({ organization_id, role }) => organization_id === organization?.id && role !== 'super_admin')
      .sort((a, b) => (a.email < b.email ? -1 : 1))
    const watched = users.find(({ role }) => role === 'user')
    if (!organization || !watched) {
      throw new DemoError(
        `This stack has no demo organization ${storyline.domain} with a user: only a local stack is seeded.`,
      )
    }
    const userIds = users.map(({ id }) => id)
    return { organizationId: organization.id, domain: organization.domain, storyline, userIds, watched }
  })
}

/** Where the times of an earlier run are kept. */
export interface WindowStore {
  read(): TimeWindow | null
  write(window: TimeWindow): void
}

/**
 * Uses the window of the run that recorded the first events; before that the present, or its last `days`. Throws DemoError when the API
 * would no longer take such old events.
 */
export function settleWindow(
  trace: readonly TraceRequest[],
  store: WindowStore,
  hasRecorded: boolean,
  nowMs: number,
  days?: number,
): TimeWindow {
  const kept = hasRecorded ? store.read() : null
  if (kept && nowMs - kept.startMs > MAX_LATE_MS) {
    const day = new Date(kept.startMs).toISOString().slice(0, 10)
    throw new DemoError(
      `This stack's replay is of ${day}, too long ago to be sent again. Use another --seed, or start --fresh.`,
    )
  }
  const window = kept ?? (days === undefined ? chooseWindow(trace, nowMs) : chooseDays(nowMs, days))
  if (!kept) store.write(window)
  return window
}

/** Which part of the trace is replayed, and how. */
export interface PlanOptions {
  readonly trace: readonly TraceRequest[]
  /** How many of the first requests. */
  readonly requests: number
  readonly tenants: readonly Tenant[]
  readonly seed: number
  readonly window: TimeWindow
}

/** Plans the whole trace and takes the first part, so that a short replay sends the very events of a full one. */
export function planReplay({ trace, requests, tenants, seed, window }: PlanOptions): ReplayPlan {
  const source = sourceOf(seed)
  const assigned = assignRequests(trace, tenants, seed).slice(0, requests)
  const batches = buildBatches(assigned, shiftTimes(trace, window), source)
  return { seed, source, window, batches, eventIds: batches.flatMap(({ events }) => events.map(({ id }) => id)) }
}
