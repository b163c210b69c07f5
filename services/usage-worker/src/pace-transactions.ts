/** How large transactions may be. */
export interface Pace {
  /** Events at which a transaction is full, while so many wait. */
  fullAt(waitingEvents: number): number
  /** Told of a transaction that has committed. */
  note(events: number, tookMs: number): void
}

// Whoever waits for a decision waits for the transaction that is under way and for its own: with this they are soon through.
const TARGET_MS = 80
// Below that what a transaction costs for itself would be more than its events.
const LEAST_EVENTS = 200
// Of what waits a transaction takes a third, where that is more: large ones are cheaper.
const PARTS_OF_BACKLOG = 3
// How much of what was known the newest transaction replaces.
const NEWEST = 0.2

/**
 * Sizes transactions by the time that they take while little waits, and by what waits as that grows; `mostEvents` at most. What an
 * event takes is learned from those that have committed.
 */
export function paceTransactions(mostEvents: number): Pace {
  let msPerEvent: number | undefined
  return {
    fullAt: (waitingEvents) => {
      if (msPerEvent === undefined) return mostEvents
      const byTime = Math.max(LEAST_EVENTS, Math.floor(TARGET_MS / msPerEvent))
      return Math.min(mostEvents, Math.max(byTime, Math.ceil(waitingEvents / PARTS_OF_BACKLOG)))
    },
    note: (events, tookMs) => {
      // Mostly what it costs for itself. Jobs are not split: half is the least that those of a full transaction come to.
      if (events < LEAST_EVENTS / 2) return
      const found = tookMs / events
      msPerEvent = msPerEvent === undefined ? found : msPerEvent + NEWEST * (found - msPerEvent)
    },
  }
}
