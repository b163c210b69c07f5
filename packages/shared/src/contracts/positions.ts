import { z } from 'zod'
import { bigintText } from './text.ts'

/**
 * Where an organization stands in its current period, as it is published for the gates to show; LLM tokens.
 * A copy of what Postgres said at `as_of_ms` (epoch ms, the database's clock): set, never incremented.
 */
export const publishedPosition = z.object({
  organization_id: z.string(),
  limit_tokens: bigintText.nullable(),
  used_tokens: bigintText,
  reserved_tokens: bigintText,
  /** The total at which a decision could change next; null: none. A copy that was written before there was one says null. */
  evaluate_at: bigintText.nullable().default(null),
  period_start: z.string(),
  period_end: z.string(),
  as_of_ms: z.number().int(),
})
export type PublishedPosition = z.infer<typeof publishedPosition>

/** A message of the channel. */
export const publishedPositions = z.array(publishedPosition)

/** Redis hash organization → position, and the channel that announces changes of it; the quota-enforcer writes both. */
export const positionsKey = (namespace: string): string => `${namespace}:positions`

/** Redis set of organizations whose position has changed since it was published. */
export const changedPositionsKey = (namespace: string): string => `${namespace}:positions-changed`
