import { z } from 'zod'
import { acceptedEvent, type EventOutcome, eventOutcome } from './events.ts'

/**
 * Job of a `usage-events-{n}` queue: what concurrent requests brought, merged by the API's group commit. Usage alone is a job
 * of version 2, whose events are rows (usage-rows.ts).
 */
export const usageEventsJob = z.object({ v: z.literal(1), events: z.array(acceptedEvent).min(1) })
export type UsageEventsJob = z.infer<typeof usageEventsJob>

/**
 * Result of a `usage-events-{n}` job: how many events it had, and the outcome, by index, of those that were not simply
 * recorded. Redis keeps it and tells it to every instance of the API, so it is short.
 */
export const usageEventsResult = z.object({
  v: z.literal(1),
  events: z.number().int().min(1),
  others: z.array(z.tuple([z.number().int().min(0), eventOutcome])),
})
export type UsageEventsResult = z.infer<typeof usageEventsResult>

const RECORDED: EventOutcome = { outcome: 'recorded' }

/** Shortens one outcome per event to the result of their job. */
export function packOutcomes(outcomes: readonly EventOutcome[]): UsageEventsResult {
  const others = outcomes.flatMap((outcome, index): UsageEventsResult['others'] =>
    outcome.outcome === 'recorded' ? [] : [[index, outcome]],
  )
  return { v: 1, events: outcomes.length, others }
}

/** The outcome of each event of a job. */
export function unpackOutcomes({ events, others }: UsageEventsResult): EventOutcome[] {
  const outcomes = Array.from({ length: events }, () => RECORDED)
  for (const [index, outcome] of others) outcomes[index] = outcome
  return outcomes
}

/** Why an organization is evaluated. */
export const evaluationReason = z.enum(['usage', 'limit_changed', 'period', 'time', 'sweep', 'manual'])
export type EvaluationReason = z.infer<typeof evaluationReason>

/** Job of the queue `quota-evaluations`; at most one is pending per organization. */
export const quotaEvaluationsJob = z.object({
  v: z.literal(1),
  organization_id: z.string(),
  reason: evaluationReason,
})
export type QuotaEvaluationsJob = z.infer<typeof quotaEvaluationsJob>
