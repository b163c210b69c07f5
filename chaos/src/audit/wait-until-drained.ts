import { setTimeout as delay } from 'node:timers/promises'
import { queueAddresses, readBacklog } from '@tollgate/shared/queues'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import { SHARDS } from '../stack/shards.ts'
import type { Finding, Queryable } from './finding.ts'

const DRAIN_MS = 120_000
const POLL_MS = 200

/** Waits until no accepted event is on its way any more. @returns after how many seconds; null when it takes two minutes */
export async function waitUntilDrained({ db, redis }: ChaosStack): Promise<number | null> {
  const startMs = performance.now()
  while (performance.now() - startMs < DRAIN_MS) {
    if ((await countWaiting(db, redis).catch(() => 1)) === 0)
      return Math.round((performance.now() - startMs) / 100) / 10
    await delay(POLL_MS)
  }
  return null
}

async function countWaiting(db: Queryable, redis: ChaosStack['redis']): Promise<number> {
  const queues = await Promise.all([
    readBacklog(redis, queueAddresses('usage-events', SHARDS), Date.now),
    readBacklog(redis, queueAddresses('quota-evaluations', SHARDS), Date.now),
  ])
  const { rows } = await db.query<{ inbox: number }>('select count(*)::int as inbox from tollgate.event_inbox')
  return queues.reduce((sum, { waiting, active }) => sum + waiting + active, rows[0]?.inbox ?? 0)
}

/** Audits again and again until nothing is wrong, or time is up: what is published or given back comes a moment later. */
export async function auditPatiently(audit: () => Promise<Finding>, patienceMs: number): Promise<Finding> {
  for (const deadlineMs = performance.now() + patienceMs; ; ) {
    const finding = await audit()
    if (finding.faults.length === 0 || performance.now() > deadlineMs) return finding
    await delay(POLL_MS * 2)
  }
}
