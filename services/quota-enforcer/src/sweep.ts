import { type EvaluationReason, evaluationReason } from '@tollgate/shared/contracts'
import type { Rpc } from '@tollgate/shared/store'
import { StoreError } from '@tollgate/shared/store'
import type { Evaluate } from './evaluate.ts'
import { forEachBounded } from './for-each-bounded.ts'

/** What a sweep needs. */
export interface SweepDependencies {
  readonly rpc: Rpc
  readonly evaluate: Evaluate
  /** Told of each organization whose evaluation the sweep has made up for. */
  readonly onHealed: (reason: EvaluationReason) => void
  /** Told of each organization that could not be evaluated; it is due again next time. */
  readonly onFault: (error: unknown, organizationId: string) => void
}

const MAX_ROWS = 500
const CONCURRENCY = 8
// So many unanswered evaluations mean that Postgres is away, not that an organization is odd.
const MAX_UNAVAILABLE = 10

/**
 * Evaluates organizations that are due though nobody announced them: lost wake-ups, changed limits, ended periods.
 * One that fails does not hold up the others. Gives the last organization of a full page (a month ends for everybody at
 * once), so that the caller goes on behind it without waiting: whoever keeps failing keeps nobody else from its turn.
 * Rejects when Postgres is away.
 */
export async function sweep(
  dependencies: SweepDependencies,
  signal: AbortSignal,
  after?: string,
): Promise<string | undefined> {
  const due = await dependencies.rpc('list_due_evaluations', { max_rows: MAX_ROWS, after })
  await evaluateAll(dependencies, due, signal)
  return due.length === MAX_ROWS ? due.at(-1)?.organization_id : undefined
}

async function evaluateAll(
  { evaluate, onHealed, onFault }: SweepDependencies,
  due: readonly { organization_id: string; reason: string }[],
  signal: AbortSignal,
): Promise<void> {
  let unavailable = 0
  const work = async ({ organization_id, reason: text }: { organization_id: string; reason: string }) => {
    const reason = evaluationReason.catch('sweep').parse(text)
    try {
      const outcome = await evaluate(organization_id, reason)
      // Whose users wait for a transaction to end is listed each time, and nothing was made up for.
      if (outcome === 'contended' || (outcome === 'waiting' && reason === 'sweep')) return
      onHealed(reason)
    } catch (error) {
      onFault(error, organization_id)
      if (error instanceof StoreError && error.code === 'unavailable' && ++unavailable >= MAX_UNAVAILABLE) throw error
    }
  }
  await forEachBounded(due, CONCURRENCY, work, signal)
}
