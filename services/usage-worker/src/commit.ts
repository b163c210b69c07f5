import {
  type AcceptedEvent,
  dealOutcomes,
  type EventOutcome,
  joinEvents,
  listEvents,
  rejectionReason,
  type UsageBatch,
  type UsageEventsText,
  writeEvents,
} from '@tollgate/shared/contracts'
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
 * A batch that Postgres refuses for its content is halved until the job, and then the event, at fault stands alone; that
 * one becomes a dead letter and its neighbours count. Repeating is safe: an identity counts once.
 * @throws StoreError when Postgres is away: nothing is acknowledged then
 */
export async function commitJobs(jobs: readonly UsageEventsText[], options: CommitOptions): Promise<EventOutcome[][]> {
  try {
    return await commitTexts(jobs, options)
  } catch (error) {
    if (isRetryableStoreError(error)) throw error
    const [only] = jobs
    if (only && jobs.length === 1) return [await commitSingly(only, error, options)]
    const [first, second] = halve(jobs)
    return [...(await commitJobs(first, options)), ...(await commitJobs(second, options))]
  }
}

/** Commits a job of which something was refused. */
async function commitSingly(job: UsageEventsText, cause: unknown, options: CommitOptions): Promise<EventOutcome[]> {
  const events = tryList(job)
  if (events !== undefined) return splitEvents(events, cause, options)
  const outcome = await setAside(job.text, cause, options)
  return Array.from({ length: job.count }, () => outcome)
}

function tryList(job: UsageEventsText): AcceptedEvent[] | undefined {
  try {
    return listEvents(job)
  } catch {
    return undefined
  }
}

async function splitEvents(
  events: readonly AcceptedEvent[],
  cause: unknown,
  options: CommitOptions,
): Promise<EventOutcome[]> {
  if (events.length === 1) return [await setAside(JSON.stringify(events[0]), cause, options)]
  const [first, second] = halve(events)
  return [...(await commitEvents(first, options)), ...(await commitEvents(second, options))]
}

async function commitEvents(events: readonly AcceptedEvent[], options: CommitOptions): Promise<EventOutcome[]> {
  try {
    return (await commitTexts([writeEvents(events)], options)).flat()
  } catch (error) {
    if (isRetryableStoreError(error)) throw error
    return splitEvents(events, error, options)
  }
}

function halve<Item>(items: readonly Item[]): [Item[], Item[]] {
  const middle = Math.ceil(items.length / 2)
  return [items.slice(0, middle), items.slice(middle)]
}

async function commitTexts(parts: readonly UsageEventsText[], options: CommitOptions): Promise<EventOutcome[][]> {
  const outcomes = dealOutcomes(parts, await ingest(joinEvents(parts), options))
  await keepSealed(parts, outcomes, options)
  return outcomes
}

async function ingest(batch: UsageBatch, options: CommitOptions): Promise<EventOutcome[]> {
  const { rpc, metrics, stopping } = options
  const endTimer = metrics.commitSeconds.startTimer()
  const attempt = (count: number): Promise<RpcRow<'ingest_usage'>[]> => {
    if (count > 1) metrics.retries.inc()
    return rpc('ingest_usage', { batch: batch.json })
  }
  const [result] = await withRetry(attempt, stopping ? { ...RETRY, signal: stopping } : RETRY)
  if (!result) throw new Error('ingest_usage returned no row')
  endTimer()
  observe(batch, result, options)
  options.announce(result.totals)
  return spreadOutcomes(batch.count, result.outcomes)
}

/**
 * A correction of a month that is sealed cannot be applied by itself: somebody has to see it. Kept before the job is
 * acknowledged; a job that comes again is rejected again.
 */
async function keepSealed(
  parts: readonly UsageEventsText[],
  outcomes: readonly EventOutcome[][],
  options: CommitOptions,
): Promise<void> {
  const isSealed = (outcome: EventOutcome | undefined) =>
    outcome?.outcome === 'rejected' && outcome.reason === 'month_sealed'
  const sealed = parts.flatMap((part, at) =>
    outcomes[at]?.some(isSealed) ? listEvents(part).filter((_, index) => isSealed(outcomes[at]?.[index])) : [],
  )
  if (sealed.length === 0) return
  const { rpc, metrics, stopping } = options
  const detail = 'the original lies in a month past the retention of the ledger'
  const letters = sealed.map((event) => {
    return { queue: 'usage-events', reason: 'month_sealed', detail, payload: JSON.stringify(event) }
  })
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

function observe(batch: UsageBatch, result: RpcRow<'ingest_usage'>, { metrics, now }: CommitOptions): void {
  const duplicates = result.outcomes.filter((entry) => entry.outcome === 'duplicate')
  metrics.outcomes.inc({ outcome: 'recorded' }, batch.count - result.outcomes.length)
  metrics.outcomes.inc({ outcome: 'duplicate' }, duplicates.length)
  metrics.outcomes.inc({ outcome: 'rejected' }, result.outcomes.length - duplicates.length)
  metrics.conflicts.inc(duplicates.filter((entry) => entry.conflict).length)
  metrics.unpriced.inc(result.unpriced)
  metrics.afterRevocation.inc(result.after_revocation)
  countHolds(result.holds, metrics)
  metrics.batchEvents.observe(batch.count)
  metrics.lagSeconds.observe(Math.max(0, now() - Date.parse(batch.receivedAt)) / 1_000)
}

async function setAside(payload: string, cause: unknown, { rpc, metrics }: CommitOptions): Promise<EventOutcome> {
  const detail = cause instanceof Error ? cause.message : String(cause)
  const letter = { queue: 'usage-events', reason: 'not_recordable', detail, payload }
  await rpc('record_dead_letters', { batch: { letters: [letter] } })
  metrics.deadLetters.inc()
  return { outcome: 'rejected', reason: 'invalid_event' }
}
