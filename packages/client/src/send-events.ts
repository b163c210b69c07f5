import type { Call } from './request-json.ts'
import { TollgateError } from './tollgate-error.ts'
import type { RejectedEvent, TollgateEvent } from './types.ts'

/** How events are sent. */
export interface SendOptions {
  /** Asks for the outcome after the commit (`Prefer: wait`), in seconds; 0, the default, for the bare acceptance. */
  readonly waitSeconds?: number
  /** How long a batch is tried again. Default two minutes. */
  readonly budgetMs?: number
  readonly signal?: AbortSignal
}

/** What became of the events. */
export interface SendResult {
  /** On disk at Tollgate, each counted once. */
  readonly accepted: number
  readonly rejected: readonly RejectedEvent[]
}

/** What sending stands on. */
export interface SendTools {
  readonly call: Call
  readonly token: string
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<void>
  readonly random: () => number
}

const MAX_BATCH_EVENTS = 1_000
const MAX_BATCH_CHARACTERS = 1_000_000
const BUDGET_MS = 120_000
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 10_000
const ANSWER_MS = 15_000

/**
 * Sends events in order, in batches. After 429, 5xx and lost connections the same bytes, and so the same ids, are sent
 * again: whatever was taken before counts once.
 * @throws TollgateError when the API refuses the credential, or a batch was not taken within the time
 */
export async function sendEvents(
  events: readonly TollgateEvent[],
  options: SendOptions,
  tools: SendTools,
): Promise<SendResult> {
  const rejected: RejectedEvent[] = []
  let accepted = 0
  for (const { start, texts } of toBatches(events)) {
    const answer = await sendBatch(`[${texts.join(',')}]`, options, tools)
    accepted += answer.accepted
    for (const { index, ...rest } of answer.rejected) rejected.push({ index: start + index, ...rest })
  }
  return { accepted, rejected }
}

function* toBatches(events: readonly TollgateEvent[]) {
  let texts: string[] = []
  let characters = 0
  let start = 0
  for (const [index, event] of events.entries()) {
    const text = JSON.stringify({ specversion: '1.0', ...event })
    if (texts.length === MAX_BATCH_EVENTS || (texts.length > 0 && characters + text.length > MAX_BATCH_CHARACTERS)) {
      yield { start, texts }
      texts = []
      characters = 0
      start = index
    }
    texts.push(text)
    characters += text.length
  }
  if (texts.length > 0) yield { start, texts }
}

async function sendBatch(body: string, options: SendOptions, tools: SendTools): Promise<SendResult> {
  const { waitSeconds = 0, budgetMs = BUDGET_MS, signal } = options
  const deadlineMs = tools.now() + budgetMs
  const prefer: Record<string, string> = waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {}
  const request = {
    method: 'POST',
    path: '/v1/events',
    token: tools.token,
    body,
    signal,
    headers: prefer,
    timeoutMs: waitSeconds * 1_000 + ANSWER_MS,
  } as const
  for (let attempt = 0; ; attempt++) {
    const answer = await tools.call<SendResult>(request).catch(toTakenNothing)
    if (!(answer instanceof TollgateError)) return answer
    // Full jitter below a doubling bound, and never earlier than the API asks.
    const bound = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10))
    const pauseMs = answer.retryAfterMs + tools.random() * bound
    if (tools.now() + pauseMs > deadlineMs) throw answer
    await tools.sleep(pauseMs)
    signal?.throwIfAborted()
  }
}

// A batch without one usable event is answered 400, with the reasons: that is an outcome. What passes is tried again.
function toTakenNothing(error: unknown): SendResult | TollgateError {
  if (!(error instanceof TollgateError)) throw error
  const { rejected } = error.problem
  if (error.code === 'no-usable-event' && Array.isArray(rejected)) return { accepted: 0, rejected }
  if (error.isTemporary) return error
  throw error
}
