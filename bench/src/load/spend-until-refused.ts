import { setTimeout as delay } from 'node:timers/promises'
import { BenchError } from '../bench-error.ts'
import { type HttpConnection, openHttpConnection } from './http-connection.ts'
import { makeEvent, type UsageEvent } from './make-events.ts'
import type { Member } from './population.ts'
import { requireAccepted, singleRequest } from './usage-requests.ts'

/** Who spends without reservations, and where. */
export interface SpendOptions {
  /** Instances that are asked in turn. */
  readonly urls: readonly string[]
  readonly key: string
  /** A ready-made request for verify. */
  readonly verify: Buffer
  readonly member: Member
  readonly perSecond: number
  /** LLM tokens at which access ends. */
  readonly limit: number
  /** Told of each event before it is sent. */
  readonly onEvent: (event: UsageEvent) => void
}

/** How far it went. */
export interface Overshoot {
  /** LLM tokens that were accepted beyond the limit. */
  readonly tokens: number
  /** The most that the pace allows in the time, with what is under way at its ends. */
  readonly boundTokens: number
  /** From the accepted event that crossed the limit until the last one was accepted. */
  readonly lagMs: number
}

const WORKERS = 10
const TOKENS_A_CALL = 100
const TIMEOUT_MS = 20_000

/**
 * Spends as a gateway does that asks verify before each call and reports after it, ten calls at a time, at a steady pace of LLM
 * tokens a second, until verify refuses.
 */
export async function spendUntilRefused(options: SpendOptions): Promise<Overshoot> {
  const { urls, perSecond, limit } = options
  const pauseMs = (WORKERS * TOKENS_A_CALL * 1_000) / perSecond
  const beganAtMs = performance.now()
  let [tokens, crossedAtMs, lastAtMs, isRefused] = [0, 0, 0, false]
  const work = async (place: number) => {
    const url = urls[place % urls.length] ?? ''
    const [gate, ingest] = await Promise.all([openHttpConnection(url), openHttpConnection(url)])
    let dueMs = beganAtMs + (place / WORKERS) * pauseMs
    while (!isRefused) {
      await delay(Math.max(0, dueMs - performance.now()))
      // What was missed is not made up for: the pace is never exceeded.
      dueMs = Math.max(dueMs, performance.now()) + pauseMs
      if (performance.now() - beganAtMs > TIMEOUT_MS) throw new BenchError('verify accepts beyond the limit.')
      if (!(await isAccepted(gate, options.verify))) break
      await report(ingest, options)
      tokens += TOKENS_A_CALL
      lastAtMs = performance.now()
      if (crossedAtMs === 0 && tokens >= limit) crossedAtMs = lastAtMs
    }
    isRefused = true
    for (const connection of [gate, ingest]) connection.close()
  }
  await Promise.all(Array.from({ length: WORKERS }, (_, place) => work(place)))
  const lagMs = lastAtMs - crossedAtMs
  const boundTokens = (lagMs * perSecond) / 1_000 + 2 * WORKERS * TOKENS_A_CALL
  return { tokens: tokens - limit, boundTokens, lagMs }
}

async function isAccepted(connection: HttpConnection, verify: Buffer): Promise<boolean> {
  const { status, body } = await connection.exchange(verify)
  if (status === 200) return true
  if (status === 403 && body.includes('organization_revoked')) return false
  throw new BenchError(`verify refused for another reason than the limit: ${status} ${body}`)
}

async function report(connection: HttpConnection, { member, key, onEvent }: SpendOptions): Promise<void> {
  const event = makeEvent([member], TOKENS_A_CALL)
  const counts = { output_tokens: 0, cache_read_input_tokens: 0, reasoning_output_tokens: 0 }
  const usage = { ...event, data: { ...event.data, ...counts } }
  onEvent(usage)
  const request = singleRequest(usage, key)
  requireAccepted(request, await connection.exchange(request.bytes))
}
