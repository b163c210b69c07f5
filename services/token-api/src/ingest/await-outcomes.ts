import { type EventOutcome, unpackOutcomes, usageEventsResult } from '@tollgate/shared/contracts'
import type { ResultWaiter } from '@tollgate/shared/queues'
import type { Receipt } from './admit-events.ts'

/** Waits for a job of the usage queue. */
export type WaitForResult = ResultWaiter['waitForResult']

/**
 * The outcomes of a request's events after the commit, by position; undefined when not all are known in time.
 * Events in the inbox are not waited for: nobody tells when they are drained.
 */
export async function awaitOutcomes(
  receipts: readonly Receipt[],
  waitForResult: WaitForResult,
  ttlMs: number,
): Promise<EventOutcome[] | undefined> {
  if (receipts.some(({ path }) => path === 'inbox')) return undefined
  const slices = await Promise.all(receipts.map((receipt) => awaitSlice(receipt, waitForResult, ttlMs)))
  const outcomes: EventOutcome[] = []
  for (const [index, receipt] of receipts.entries()) {
    const slice = slices[index]
    if (slice === undefined) return undefined
    for (const [place, position] of receipt.positions.entries()) {
      const outcome = slice[place]
      if (outcome === undefined) return undefined
      outcomes[position] = outcome
    }
  }
  return outcomes
}

async function awaitSlice(
  receipt: Receipt,
  waitForResult: WaitForResult,
  ttlMs: number,
): Promise<EventOutcome[] | undefined> {
  if (receipt.path === 'inbox') return undefined
  const ended = await waitForResult(receipt.jobId, receipt.shard, ttlMs)
  if (ended.status !== 'completed') return undefined
  const result = usageEventsResult.safeParse(ended.result)
  if (!result.success) return undefined
  return unpackOutcomes(result.data).slice(receipt.offset, receipt.offset + receipt.positions.length)
}
