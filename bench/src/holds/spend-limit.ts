import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { BenchError } from '../bench-error.ts'
import { makeEvent, type UsageEvent } from '../load/make-events.ts'
import type { Member } from '../load/population.ts'
import { repeatRequest } from './repeat-request.ts'

/** Who spends, where and how long. */
export interface SpendOptions {
  readonly urls: readonly string[]
  readonly key: string
  /** All of one organization. */
  readonly members: readonly Member[]
  readonly clients: number
  readonly seconds: number
  /** Told of each usage event before it is sent for the first time. */
  readonly onEvent: (event: UsageEvent) => void
}

/** What the clients did. */
export interface Spending {
  held: number
  refused: number
  released: number
  /** Holds whose client "died": only the lease gives them back. */
  abandoned: number
  committed: number
  /** LLM tokens of the committed usage. */
  usedTokens: number
  /** Tries that failed and were repeated. */
  repeats: number
}

const hold = z.object({ id: z.string() })
// Longer than any outage of the run, so that nobody's usage comes late; a dead client's hold is back soon.
const TTL_SECONDS = 120
const ABANDONED_TTL_SECONDS = 2
const MAX_HELD = 1_200

/**
 * Many clients spend one limit: each holds some LLM tokens, and then commits at most as many, releases them, or dies.
 * Every request is repeated, at whichever instance answers, until its outcome is known.
 */
export async function spendLimit(options: SpendOptions): Promise<Spending> {
  const spending: Spending = {
    ...{ held: 0, refused: 0, released: 0, abandoned: 0, committed: 0, usedTokens: 0, repeats: 0 },
  }
  const endAtMs = performance.now() + options.seconds * 1_000
  const work = async () => {
    while (performance.now() < endAtMs) await spendOnce(options, spending)
  }
  await Promise.all(Array.from({ length: options.clients }, work))
  return spending
}

async function spendOnce(options: SpendOptions, spending: Spending): Promise<void> {
  const fate = Math.random()
  const total = 200 + Math.floor(Math.random() * (MAX_HELD - 200))
  const event = makeEvent(options.members, 1)
  const { organization_id, user_id, session_id } = event.data
  const ttl_seconds = fate < 0.1 ? ABANDONED_TTL_SECONDS : TTL_SECONDS
  const asked = { organization_id, user_id, session_id, total_tokens: total, ttl_seconds }
  const answer = await post(options, spending, '', asked, { 'idempotency-key': randomUUID() })
  if (answer.status === 429) {
    spending.refused++
    await delay(20 + Math.random() * 60)
    return
  }
  const { id } = hold.parse(require(201, answer))
  spending.held++
  if (fate < 0.1) spending.abandoned++
  else if (fate < 0.2) {
    require(200, await post(options, spending, `/${id}/release`))
    spending.released++
  } else await commit(options, spending, id, shrink(event, total))
}

/** The event with counts of together at most `total`. */
function shrink(event: UsageEvent, total: number): UsageEvent {
  const input_tokens = 1 + Math.floor(Math.random() * (total - 100))
  const output_tokens = Math.floor(Math.random() * 100)
  const subCounts = { cache_read_input_tokens: 0, reasoning_output_tokens: 0 }
  return { ...event, data: { ...event.data, input_tokens, output_tokens, ...subCounts } }
}

async function commit(options: SpendOptions, spending: Spending, id: string, event: UsageEvent): Promise<void> {
  options.onEvent(event)
  require(202, await post(options, spending, `/${id}/commit`, event))
  spending.committed++
  spending.usedTokens += event.data.input_tokens + event.data.output_tokens
}

function post({ urls, key }: SpendOptions, spending: Spending, path: string, json?: unknown, headers = {}) {
  const onRepeat = () => {
    spending.repeats++
  }
  return repeatRequest({ urls, key, path: `/v1/reservations${path}`, json, headers, onRepeat })
}

function require(status: number, answer: { status: number; body: unknown }): unknown {
  if (answer.status === status) return answer.body
  throw new BenchError(`Expected ${status}, got ${answer.status}: ${JSON.stringify(answer.body)}`)
}
