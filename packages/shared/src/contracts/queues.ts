import { z } from 'zod'
import { acceptedEvent, eventOutcome } from './events.ts'

/** Job of a `usage-events-{n}` queue: what concurrent requests brought, merged by the API's group commit. */
export const usageEventsJob = z.object({ v: z.literal(1), events: z.array(acceptedEvent).min(1) })
export type UsageEventsJob = z.infer<typeof usageEventsJob>

/** Result of a `usage-events-{n}` job: one outcome per event, in order. */
export const usageEventsResult = z.array(eventOutcome)

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
