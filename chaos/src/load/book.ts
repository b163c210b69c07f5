import type { UsageEvent } from '@tollgate/bench/load'

/** The counts of an event or of a correction. */
export interface Counts {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_read_input_tokens: number
  readonly cache_creation_input_tokens: number
  readonly reasoning_output_tokens: number
}

/** A correction that was sent. */
export interface SentCorrection {
  readonly revision: number
  readonly counts: Counts
  isAnswered: boolean
}

/** A usage event that was sent, perhaps several times. */
export interface SentUsage {
  readonly event: UsageEvent
  /** Whether the API has promised to count it. Of one that was not answered nobody knows. */
  isAnswered: boolean
  readonly corrections: SentCorrection[]
}

/** What the clients remember of what they sent: the one side of the audit. */
export interface Book {
  readonly usage: ReadonlyMap<string, SentUsage>
  /** Promises that were broken while the run went on, in words. */
  readonly violations: string[]
  /** Notes events before they are sent for the first time. */
  note(events: readonly UsageEvent[]): void
  /**
   * Notes a correction before it is sent for the first time; its original may not be noted yet.
   * @returns false, and notes nothing, when that revision was sent before: two of them would contradict each other
   */
  noteCorrection(original: UsageEvent, correction: SentCorrection): boolean
  /** Notes that these events were accepted. */
  noteAnswer(events: readonly UsageEvent[]): void
}

/** Names an event: there is one source in a run. */
const keyOf = ({ id, data }: UsageEvent): string => `${data.organization_id} ${id}`

/** Opens an empty book. */
export function openBook(): Book {
  const usage = new Map<string, SentUsage>()
  const entryOf = (event: UsageEvent): SentUsage => {
    const known = usage.get(keyOf(event)) ?? { event, isAnswered: false, corrections: [] }
    usage.set(keyOf(event), known)
    return known
  }
  return {
    usage,
    violations: [],
    note: (events) => {
      for (const event of events) entryOf(event)
    },
    noteCorrection: (original, correction) => {
      const { corrections } = entryOf(original)
      const isKnown = corrections.some(({ revision }) => revision === correction.revision)
      if (!isKnown) corrections.push(correction)
      return !isKnown
    },
    noteAnswer: (events) => {
      for (const event of events) entryOf(event).isAnswered = true
    },
  }
}
