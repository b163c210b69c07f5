import type { EventBatch } from './build-batches.ts'
import type { BatchAnswer } from './post-batch.ts'

/** How batches are sent. */
export interface SendOptions {
  /** Posts a batch; `alone` marks one of `aloneAt`. */
  readonly post: (batch: EventBatch, alone: boolean) => Promise<BatchAnswer>
  /** Most batches on their way at once. */
  readonly inFlight: number
  /** Indexes of batches that start only when every earlier one is answered, and are answered before the next starts. */
  readonly aloneAt: ReadonlySet<number>
  /** Runs before a batch of `aloneAt` starts, with the answers to all earlier ones. */
  readonly beforeAlone?: ((batch: EventBatch, answers: readonly BatchAnswer[]) => Promise<void>) | undefined
  /** Runs after each answer; the slot stays taken until it is done. */
  readonly onAnswer: (answer: BatchAnswer) => Promise<void> | void
}

/** Sends all batches in order, several at once. After a failure it starts no further one, waits for those under way and throws. */
export async function sendBatches(batches: readonly EventBatch[], options: SendOptions): Promise<BatchAnswer[]> {
  const { post, inFlight, aloneAt, onAnswer } = options
  const answers: BatchAnswer[] = []
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  const drainTo = async (most: number): Promise<void> => {
    while (running.size > most) await Promise.race(running)
  }
  const start = (batch: EventBatch, alone: boolean): void => {
    const task = post(batch, alone)
      .then(async (answer) => {
        answers.push(answer)
        await onAnswer(answer)
      })
      .catch((error: unknown) => void failures.push(error))
      .finally(() => void running.delete(task))
    running.add(task)
  }
  for (const batch of batches) {
    const alone = aloneAt.has(batch.index)
    await drainTo(alone ? 0 : inFlight - 1)
    if (failures.length > 0) break
    if (alone) await options.beforeAlone?.(batch, answers)
    start(batch, alone)
    if (alone) await drainTo(0)
  }
  await drainTo(0)
  if (failures.length > 0) throw failures[0]
  return answers
}
