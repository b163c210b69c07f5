/**
 * Runs `work` on each item, at most `concurrency` at a time. After an abort, or when `work` rejects, no further item is
 * begun; what is under way is waited for, and the first rejection is passed on.
 */
export async function forEachBounded<Item>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const queue = items.values()
  let failed = false
  const lane = async () => {
    for (const item of queue) {
      if (failed || signal?.aborted) return
      try {
        await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: concurrency }, lane))
  const rejected = ends.find((end) => end.status === 'rejected')
  if (rejected) throw rejected.reason
}
