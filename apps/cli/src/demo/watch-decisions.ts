import type { DemoContext } from './demo-context.ts'
import { type Decision, readDecisions } from './read-decisions.ts'

/** A look at the record of decisions, again and again, that tells of each new one. */
export interface DecisionWatch {
  readonly decisions: readonly Decision[]
  /** Takes a last look and ends. */
  stop(): Promise<void>
}

/** Watches the record of decisions; `known` are those of earlier runs. */
export function watchDecisions(
  context: DemoContext,
  organizationIds: readonly string[],
  known: ReadonlySet<string>,
  onDecision: (decision: Decision) => void,
  intervalMs = 100,
): DecisionWatch {
  const seen = new Set(known)
  const decisions: Decision[] = []
  let stopped = false
  const look = async (): Promise<void> => {
    for (const decision of await readDecisions(context.pool, organizationIds, seen)) {
      seen.add(decision.id)
      decisions.push(decision)
      onDecision(decision)
    }
  }
  const run = async (): Promise<void> => {
    while (!stopped) {
      // A database that is away for a moment is the replay's business; the next look finds what this one missed.
      await look().catch(() => {})
      if (!stopped) await context.sleep(intervalMs)
    }
  }
  const running = run()
  return {
    decisions,
    stop: async () => {
      stopped = true
      await running
      // What a lost database hides now is of no use to a replay that failed for it.
      await look().catch(() => {})
    },
  }
}
