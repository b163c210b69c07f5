import type { Producer } from '@tollgate/shared/queues'
import type { RpcRow } from '@tollgate/shared/store'

/** What announcing stands on. */
export interface AnnounceOptions {
  readonly evaluations: Pick<Producer<'quota-evaluations'>, 'add'>
  readonly newId: () => string
  /** Told of a wake-up that Redis did not take; the enforcer's sweep finds the organization all the same. */
  readonly onFailure: (error: unknown) => void
}

/**
 * Wakes the enforcer for organizations whose total has reached the next value that could change a decision.
 * Runs after the commit and is not waited for: the total is on record, and who is not announced is swept.
 */
export function createAnnounce({ evaluations, newId, onFailure }: AnnounceOptions) {
  return (totals: RpcRow<'ingest_usage'>['totals']): void => {
    for (const { organization_id, evaluate } of totals) {
      if (!evaluate) continue
      // keepLastIfActive: a wake-up during an evaluation runs after it and is not lost.
      const deduplication = { id: organization_id, keepLastIfActive: true }
      evaluations.add({ v: 1, organization_id, reason: 'usage' }, { jobId: newId(), deduplication }).catch(onFailure)
    }
  }
}
