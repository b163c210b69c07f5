import type { OrganizationStory } from './close-gates.ts'
import type { Decision } from './read-decisions.ts'
import type { Figures, TokenSums } from './read-figures.ts'

/** What became of the events of this run. */
export interface EventCounts {
  readonly sent: number
  /** In the ledger now, and not before. */
  readonly recorded: number
  /** In the ledger already before this run. */
  readonly duplicate: number
  readonly rejected: number
  /** Rejections by reason. */
  readonly rejectedReasons: Readonly<Record<string, number>>
  /** What the API's own answers said, where they came after the commit. */
  readonly answered: { readonly recorded: number; readonly duplicate: number }
  /** Accepted with 202: the ledger alone tells what became of them. */
  readonly acceptedOnly: number
  /** Events of batches that had to be sent more than once. */
  readonly resent: number
}

/** A limit that a short replay changed for its time. */
interface ChangedLimit {
  readonly domain: string
  readonly formerLimit: number | null
  readonly limit: number
}

/** Everything that a run of the demo found out. */
export interface DemoResult {
  /** Whether all figures agree and every storyline ended as it must. */
  readonly ok: boolean
  /** What differs, a line each; empty when `ok`. */
  readonly problems: readonly string[]
  readonly source: string
  readonly seed: number
  /** Times of the first and the last event of the whole trace, as they were sent. */
  readonly window: { readonly start: string; readonly end: string }
  readonly changedLimits: readonly ChangedLimit[]
  readonly events: EventCounts
  /** LLM tokens of the replayed part of the file. */
  readonly file: TokenSums
  readonly figures: Figures
  readonly organizations: readonly OrganizationStory[]
  readonly decisions: readonly Decision[]
  readonly sendMs: number
}

/** One JSON document of a result. Counts are JSON integers (all stay below 2^53), money is decimal text. */
export function toJson(result: DemoResult): string {
  const plain = (_key: string, value: unknown): unknown => {
    if (typeof value !== 'bigint') return value
    // A count that a double can not hold goes as text rather than wrong.
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
  }
  return JSON.stringify(result, plain, 2)
}
