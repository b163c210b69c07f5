import type { AcceptedEvent, EventOutcome, UsageEventsJob } from '@tollgate/shared/contracts'
import { rejectionReason } from '@tollgate/shared/contracts'
import { isRetryableStoreError, type Rpc, type RpcRow, withRetry } from '@tollgate/shared/store'
import { countHolds, type UsageMetrics } from './metrics.ts'

const RECORDED: EventOutcome = { outcome: 'recorded' }

type PeriodTotals = RpcRow<'ingest_usage'>['totals']

/** What committing stands on. */
export interface CommitOptions {
  readonly rpc: Rpc
  readonly metrics: UsageMetrics
  /** Told, after a commit, which period totals it touched; must not throw. */
  readonly announce: (totals: PeriodTotals) => void
  /** Current time, epoch ms. */
  readonly now: () => number
  /** Ends the waiting between tries. */
  readonly stopping?: AbortSignal
}

// Short of BullMQ's lock time: a longer outage is waited out in the queue, not in the handler.
const RETRY = { attempts: 6, baseMs: 50, maxMs: 1_000 }

/**
 * Records the events of many jobs in one transaction and gives each job the outcomes of its events.
 * A batch that Postgres refuses for its content is halved until the event at fault stands alone; that one becomes a
 * dead letter and its neighbours count. Repeating is safe: an identity counts once.
 * @throws StoreError when Postgres is away: nothing is acknowledged then
 */
export async function commitJobs(jobs: readonly UsageEventsJob[], options: CommitOptions): Promise<EventOutcome[][]> {
  const events = jobs.flatMap((job) => job.events)
  const outcomes = await commitEvents(events, options)
  await keepSealed(events, outcomes, options)
  let from = 0
  return jobs.map((job) => {
    const own = outcomes.slice(from, from + job.events.length)
    from += job.events.length
    return own
  })
}

async function commitEvents(events: AcceptedEvent[], options: CommitOptions): Promise<EventOutcome[]> {
  try {
    return await ingest(events, options)
  } catch (error) {
    if (isRetryableStoreError(error)) throw error
    const [only] = events
    if (only && events.length === 1) return [await setAside(only, error, options)]
    const middle = Math.ceil(events.length / 2)
    const first = await commitEvents(events.slice(0, middle), options)
    return [...first, ...(await commitEvents(events.slice(middle), options))]
  }
}

async function ingest(events: AcceptedEvent[], options: CommitOptions): Promise<EventOutcome[]> {
  const { rpc, metrics, stopping } = options
  const endTimer = metrics.commitSeconds.startTimer()
  const attempt = (count: number): Promise<RpcRow<'ingest_usage'>[]> => {
    if (count > 1) metrics.retries.inc()
    return rpc('ingest_usage', { batch: { events } })
  }
  const [result] = await withRetry(attempt, stopping ? { ...RETRY, signal: stopping } : RETRY)
  if (!result) throw new Error('ingest_usage returned no row')
  endTimer()
  observe(events, result, options)
  options.announce(result.totals)
  return spreadOutcomes(events.length, result.outcomes)
}

/**
 * A correction of a month that is sealed cannot be applied by itself: somebody has to see it. Kept before the job is
 * acknowledged; a job that comes again is rejected again.
 */
async function keepSealed(events: AcceptedEvent[], outcomes: EventOutcome[], options: CommitOptions): Promise<void> {
  const { rpc, metrics, stopping } = options
  const letters = events.flatMap((event, index) => {
    const outcome = outcomes[index]
    if (outcome?.outcome !== 'rejected' || outcome.reason !== 'month_sealed') return []
    const detail = 'the original lies in a month past the retention of the ledger'
    return [{ queue: 'usage-events', reason: outcome.reason, detail, payload: JSON.stringify(event) }]
  })
  if (letters.length === 0) return
  const keep = () => rpc('record_dead_letters', { batch: { letters } })
  await withRetry(keep, stopping ? { ...RETRY, signal: stopping } : RETRY)
  metrics.deadLetters.inc(letters.length)
}

function spreadOutcomes(count: number, exceptions: RpcRow<'ingest_usage'>['outcomes']): EventOutcome[] {
  const outcomes = Array.from({ length: count }, () => RECORDED)
  for (const exception of exceptions) {
    outcomes[exception.i] =
      exception.outcome === 'duplicate'
        ? { outcome: 'duplicate', conflict: exception.conflict }
        : { outcome: 'rejected', reason: rejectionReason.catch('invalid_event').parse(exception.reason) }
  }
  return outcomes
}

function observe(events: AcceptedEvent[], result: RpcRow<'ingest_usage'>, { metrics, now }: CommitOptions): void {
  const duplicates = result.outcomes.filter((entry) => entry.outcome === 'duplicate')
  metrics.outcomes.inc({ outcome: 'recorded' }, events.length - result.outcomes.length)
  metrics.outcomes.inc({ outcome: 'duplicate' }, duplicates.length)
  metrics.outcomes.inc({ outcome: 'rejected' }, result.outcomes.length - duplicates.length)
  metrics.conflicts.inc(duplicates.filter((entry) => entry.conflict).length)
  metrics.unpriced.inc(result.unpriced)
  metrics.afterRevocation.inc(result.after_revocation)
  countHolds(result.holds, metrics)
  metrics.batchEvents.observe(events.length)
  const oldest = Math.min(...events.map((event) => Date.parse(event.received_at)))
  metrics.lagSeconds.observe(Math.max(0, now() - oldest) / 1_000)
}

async function setAside(event: AcceptedEvent, cause: unknown, { rpc, metrics }: CommitOptions): Promise<EventOutcome> {
  const detail = cause instanceof Error ? cause.message : String(cause)
  const letter = { queue: 'usage-events', reason: 'not_recordable', detail, payload: JSON.stringify(event) }
  await rpc('record_dead_letters', { batch: { letters: [letter] } })
  metrics.deadLetters.inc()
  return { outcome: 'rejected', reason: 'invalid_event' }
}
