import type { EventBatch } from './build-batches.ts'
import { hasReached } from './quota.ts'

/** Where an organization stands before the events are sent, and what it is to reach. */
export interface CrossingWish {
  readonly organizationId: string
  readonly used: bigint
  readonly limit: number | null
  readonly atPercent: number
}

const tokensOf = (batch: EventBatch, organizationId: string, isKnown: (id: string) => boolean): bigint =>
  batch.events.reduce(
    (sum, event) =>
      event.organizationId === organizationId && !isKnown(event.id)
        ? sum + BigInt(event.inputTokens) + BigInt(event.outputTokens)
        : sum,
    0n,
  )

/** LLM tokens that the batches add to an organization: those of events that are not in the ledger yet. */
export function tokensToAdd(
  batches: readonly EventBatch[],
  organizationId: string,
  isKnown: (id: string) => boolean,
): bigint {
  return batches.reduce((sum, batch) => sum + tokensOf(batch, organizationId, isKnown), 0n)
}

/** Index of the batch that takes an organization to `atPercent` of its limit; null when it is there already or never comes there. */
export function findCrossing(
  batches: readonly EventBatch[],
  { organizationId, used, limit, atPercent }: CrossingWish,
  isKnown: (id: string) => boolean,
): number | null {
  if (hasReached(used, limit, atPercent)) return null
  let total = used
  for (const batch of batches) {
    total += tokensOf(batch, organizationId, isKnown)
    if (hasReached(total, limit, atPercent)) return batch.index
  }
  return null
}
