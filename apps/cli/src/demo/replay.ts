import type { EventBatch } from './build-batches.ts'
import type { DemoContext } from './demo-context.ts'
import { type BatchAnswer, postBatch } from './post-batch.ts'
import { sendBatches } from './send-batches.ts'

/** How the batches are replayed. */
export interface ReplayOptions {
  readonly batches: readonly EventBatch[]
  /** Batches that cross a limit: sent alone and without `Prefer: wait`, so that their 202 is a clean start of the clock. */
  readonly crossings: ReadonlySet<number>
  /** Runs before each of them. */
  readonly beforeCrossing: (batch: EventBatch, answers: readonly BatchAnswer[]) => Promise<void>
  readonly inFlight: number
  readonly waitSeconds: number
  readonly retryBudgetMs?: number | undefined
  /** Runs after each answer with the number of batches answered so far. */
  readonly onBatch?: ((answered: number) => Promise<void> | void) | undefined
}

/** While the worker is away, waiting for outcomes would only hold the replay up. */
const NO_WAIT_AFTER_TIMEOUT_MS = 5_000

function createPost(context: DemoContext, options: ReplayOptions) {
  const { stack, request, now, sleep, random, signal } = context
  let waitAgainAtMs = 0
  let retries = 0
  return async (batch: EventBatch, alone: boolean): Promise<BatchAnswer> => {
    const waitSeconds = alone || now() < waitAgainAtMs ? 0 : options.waitSeconds
    const answer = await postBatch(batch, waitSeconds, {
      request,
      tokenApi: stack.tokenApi,
      ingestKey: stack.ingestKey,
      now,
      sleep: (ms) => sleep(ms, signal),
      random,
      signal,
      budgetMs: options.retryBudgetMs,
      onRetry: (reason) => {
        retries += 1
        // One line for the first of a row of failures is enough: they come by the dozen when a server is away.
        if (retries % 50 === 1)
          context.report({ kind: 'note', text: `Retry:  ${reason}; the same events are sent again.` })
      },
    })
    if (waitSeconds > 0 && !answer.settled) waitAgainAtMs = now() + NO_WAIT_AFTER_TIMEOUT_MS
    return answer
  }
}

function createCounter(context: DemoContext, batches: readonly EventBatch[]) {
  const total = batches.reduce((sum, { events }) => sum + events.length, 0)
  const counts = { done: 0, recorded: 0, duplicate: 0, pending: 0 }
  return (answer: BatchAnswer): void => {
    counts.done += answer.batch.events.length
    counts.recorded += answer.settled?.recorded ?? 0
    counts.duplicate += answer.settled?.duplicate ?? 0
    counts.pending += answer.settled ? 0 : answer.accepted
    context.report({ kind: 'sending', total, ...counts })
  }
}

/** Sends the batches and returns an answer for each. Retries are inside; throws when a batch can not be brought through. */
export async function replayBatches(context: DemoContext, options: ReplayOptions): Promise<BatchAnswer[]> {
  const count = createCounter(context, options.batches)
  let answered = 0
  try {
    return await sendBatches(options.batches, {
      post: createPost(context, options),
      inFlight: options.inFlight,
      aloneAt: options.crossings,
      beforeAlone: options.beforeCrossing,
      onAnswer: async (answer) => {
        count(answer)
        answered += 1
        await options.onBatch?.(answered)
      },
    })
  } finally {
    context.report({ kind: 'sent' })
  }
}
