import type { QuotaEvaluationsJob } from '@tollgate/shared/contracts'
import { DeadLetterError } from '@tollgate/shared/queues'
import { StoreError } from '@tollgate/shared/store'
import type { Evaluate, EvaluationOutcome } from './evaluate.ts'

/**
 * Handles a wake-up. Resolving acknowledges it, which comes after the commit; a fault of the database is retried.
 * That an organization is evaluated by one at a time is the business of Postgres (revisions), not of the queue.
 */
export async function handleEvaluation(job: QuotaEvaluationsJob, evaluate: Evaluate): Promise<EvaluationOutcome> {
  try {
    return await evaluate(job.organization_id, job.reason)
  } catch (error) {
    // An id that is no id stays wrong however often it is tried.
    if (error instanceof StoreError && error.code === 'invalid') throw new DeadLetterError(error.message)
    throw error
  }
}
