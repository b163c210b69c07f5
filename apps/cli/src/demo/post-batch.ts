import type { EventBatch } from './build-batches.ts'
import { DemoError, messageOf } from './demo-error.ts'
import type { Random } from './random.ts'
import { describeAnswer, fieldOf, type JsonAnswer, type RequestJson, textField } from './request-json.ts'

/** An event that the API did not take. */
interface RejectedEvent {
  readonly id: string | null
  readonly reason: string | null
}

/** The answer to a batch. Times are those of the given clock, in milliseconds. */
export interface BatchAnswer {
  readonly batch: EventBatch
  readonly accepted: number
  /** What became of the accepted ones; null when the API answered before the commit (202). */
  readonly settled: { readonly recorded: number; readonly duplicate: number } | null
  readonly rejected: readonly RejectedEvent[]
  readonly attempts: number
  /** When the attempt that was answered began, and when its answer was here. */
  readonly sentAtMs: number
  readonly answeredAtMs: number
}

/** What posting stands on. */
export interface PostBatchOptions {
  readonly request: RequestJson
  readonly tokenApi: string
  readonly ingestKey: string
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<void>
  readonly random: Random
  readonly signal?: AbortSignal | undefined
  /** How long a batch is tried again. Default 120,000. */
  readonly budgetMs?: number | undefined
  readonly onRetry?: ((reason: string) => void) | undefined
}

const BUDGET_MS = 120_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** Time for the answer beyond what `Prefer: wait` asks for. */
const ANSWER_MS = 15_000

const mayPass = (status: number): boolean => status === 429 || status >= 500

/** Milliseconds that `Retry-After` asks for (RFC 9110, 10.2.3, in its form of seconds); 0 without. */
function readRetryAfter(headers: Headers): number {
  const seconds = Number(headers.get('retry-after') ?? 0)
  return Number.isFinite(seconds) ? seconds * 1000 : 0
}

/** Full jitter below a doubling, capped bound, and never earlier than the server asked. */
function pauseMs(attempt: number, retryAfterMs: number, random: Random): number {
  const bound = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10))
  return retryAfterMs + Math.ceil(random() * bound)
}

const countField = (body: unknown, name: string): number | null => {
  const value = fieldOf(body, name)
  return Number.isSafeInteger(value) ? Number(value) : null
}

function readRejected(body: unknown): RejectedEvent[] {
  const list = fieldOf(body, 'rejected')
  if (!Array.isArray(list)) return []
  return list.map((entry: unknown) => ({ id: textField(entry, 'id'), reason: textField(entry, 'reason') }))
}

type Read = Pick<BatchAnswer, 'accepted' | 'settled' | 'rejected'>

function readAnswer(answer: JsonAnswer, batch: EventBatch): Read {
  const accepted = countField(answer.body, 'accepted')
  const rejected = readRejected(answer.body)
  const recorded = countField(answer.body, 'recorded')
  const duplicate = countField(answer.body, 'duplicate')
  const isSettled = answer.status === 200 && recorded !== null && duplicate !== null
  // Postgres may refuse an event after the door let it in; whether `accepted` still holds it is then the API's affair.
  const counted = isSettled ? recorded + duplicate : (accepted ?? -1)
  if ((answer.status !== 200 && answer.status !== 202) || counted + rejected.length !== batch.events.length) {
    const reasons = [...new Set(rejected.map(({ reason }) => reason))].join(', ')
    const why = reasons === '' ? '' : ` (${reasons})`
    throw new DemoError(`POST /v1/events: batch ${batch.index + 1} was not taken: ${describeAnswer(answer)}${why}`)
  }
  return { accepted: counted, settled: isSettled ? { recorded, duplicate } : null, rejected }
}

/**
 * Sends one batch until it is answered: after 429, 5xx and lost connections it sends the same bytes, and so the same
 * ids, again. `waitSeconds` asks for the outcome (RFC 7240 `Prefer: wait`); 0 for the bare acceptance.
 * Throws DemoError when the API refuses the batch or the time is used up.
 */
export async function postBatch(
  batch: EventBatch,
  waitSeconds: number,
  options: PostBatchOptions,
): Promise<BatchAnswer> {
  const { request, tokenApi, ingestKey, now, sleep, random, signal, budgetMs = BUDGET_MS, onRetry } = options
  const url = new URL('/v1/events', tokenApi).href
  const prefer: Record<string, string> = waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {}
  const headers = { 'content-type': 'application/cloudevents-batch+json', ...prefer }
  const deadline = now() + budgetMs
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    const sentAtMs = now()
    const answer = await request(url, {
      method: 'POST',
      token: ingestKey,
      body: batch.body,
      headers,
      timeoutMs: waitSeconds * 1000 + ANSWER_MS,
      signal,
    }).catch((error: unknown) => messageOf(error))
    const answeredAtMs = now()
    if (typeof answer !== 'string' && !mayPass(answer.status)) {
      return { batch, ...readAnswer(answer, batch), attempts: attempt, sentAtMs, answeredAtMs }
    }
    const reason = typeof answer === 'string' ? answer : describeAnswer(answer)
    const pause = pauseMs(attempt, typeof answer === 'string' ? 0 : readRetryAfter(answer.headers), random)
    if (answeredAtMs + pause > deadline) {
      const seconds = Math.round(budgetMs / 1000)
      throw new DemoError(`POST /v1/events: batch ${batch.index + 1} was not accepted within ${seconds} s: ${reason}`)
    }
    onRetry?.(reason)
    await sleep(pause)
  }
}
