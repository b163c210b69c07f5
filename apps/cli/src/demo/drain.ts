import { type DemoContext, waitUntil } from './demo-context.ts'
import type { BatchAnswer } from './post-batch.ts'

/** Whose events are waited for, and how many of them. */
export interface DrainTarget {
  readonly organizationIds: readonly string[]
  readonly source: string
  /** Events that the ledger must hold. */
  readonly expected: number
}

/** The number of events that the ledger must hold when all that was accepted is recorded; `before` are those of earlier runs. */
export function countExpected(answers: readonly BatchAnswer[], before: ReadonlySet<string>): number {
  const rejected = new Set(answers.flatMap((answer) => answer.rejected.map(({ id }) => id)))
  const sent = answers.flatMap(({ batch }) => batch.events.map(({ id }) => id))
  return before.size + sent.filter((id) => !before.has(id) && !rejected.has(id)).length
}

async function countRecorded({ pool }: DemoContext, { organizationIds, source }: DrainTarget): Promise<number> {
  const { rows } = await pool.query<{ recorded: number }>(
    'select coalesce(sum(event_count), 0)::int as recorded from tollgate.usage_events where organization_id = any($1::uuid[]) and source = $2',
    [organizationIds, source],
  )
  return rows[0]?.recorded ?? 0
}

/** Waits until the ledger holds what was accepted; says whether it does. `onWait` hears how far it is. */
export function waitUntilRecorded(
  context: DemoContext,
  target: DrainTarget,
  timeoutMs: number,
  onWait: (recorded: number) => void = () => {},
): Promise<boolean> {
  let last = -1
  const look = async (): Promise<boolean> => {
    const recorded = await countRecorded(context, target)
    if (recorded >= target.expected) return true
    if (recorded !== last) onWait(recorded)
    last = recorded
    return false
  }
  return waitUntil(context, look, timeoutMs, 20)
}
