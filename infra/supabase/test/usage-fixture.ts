import { createHash } from 'node:crypto'
import fc from 'fast-check'

/** The organizations, users and models that generated events speak of. */
export const ORGANIZATIONS = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'] as const
const USERS = ['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a2'] as const
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'model-without-a-price'] as const

/** A usage event as `ingest_usage` takes it. */
export interface UsageEvent {
  type: 'usage.recorded'
  organization_id: string
  source: string
  id: string
  time: string
  received_at: string
  member: boolean
  user_id: string
  session_id: string
  model: string
  input_tokens: number
  output_tokens: number
  cache_read_input_tokens: number
  cache_creation_input_tokens: number
  reasoning_output_tokens: number
  message_count: number
}

const DAY_MS = 86_400_000

const pick = <T>(choices: readonly [T, ...T[]], by: number): T => choices[by % choices.length] ?? choices[0]

/**
 * What an identity says is fixed by the identity, so that duplicates agree; `now` bounds the times.
 * Times reach back almost 35 days, as late as an event may be: over at least one month border.
 */
export function eventOf(key: number, now: number): UsageEvent {
  const bytes = createHash('sha256').update(String(key)).digest()
  const at = (index: number): number => bytes.readUInt16LE(index * 2)
  const cacheRead = at(0) % 50
  const reasoning = at(1) % 20
  return {
    type: 'usage.recorded',
    organization_id: pick(ORGANIZATIONS, at(2)),
    source: 'property',
    id: `event-${key}`,
    time: new Date(now - (at(3) % 34) * DAY_MS - at(4) * 1_000).toISOString(),
    received_at: new Date(now).toISOString(),
    member: true,
    user_id: pick(USERS, at(5)),
    session_id: `session-${at(6) % 5}`,
    model: pick(MODELS, at(7)),
    input_tokens: cacheRead + (at(8) % 5_000),
    output_tokens: reasoning + (at(9) % 2_000),
    cache_read_input_tokens: cacheRead,
    cache_creation_input_tokens: 0,
    reasoning_output_tokens: reasoning,
    message_count: at(10) % 3,
  }
}

/** Deliveries: identities with repeats in any order, cut into batches of any size. */
export const deliveries = fc
  .array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 120 })
  .chain((keys) =>
    fc.tuple(fc.constant(keys), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 })),
  )
  .map(([keys, sizes]) => {
    const batches: number[][] = []
    for (let from = 0, turn = 0; from < keys.length; turn++) {
      const size = sizes[turn % sizes.length] ?? 1
      batches.push(keys.slice(from, from + size))
      from += size
    }
    return batches
  })

/** Prices in the price book, US dollars per million LLM tokens, as whole picodollars per LLM token. */
const PICODOLLARS: Record<string, { input: bigint; cacheRead: bigint; output: bigint }> = {
  'gpt-4o': { input: 2_500_000n, cacheRead: 1_250_000n, output: 10_000_000n },
  'gpt-4o-mini': { input: 150_000n, cacheRead: 75_000n, output: 600_000n },
}

/** Cost of an event in picodollars; null where the price book knows no price. */
function costOf(event: UsageEvent): bigint | null {
  const price = PICODOLLARS[event.model]
  if (!price) return null
  const cached = BigInt(event.cache_read_input_tokens)
  return (
    (BigInt(event.input_tokens) - cached) * price.input +
    cached * price.cacheRead +
    BigInt(event.output_tokens) * price.output
  )
}

/** The reference: a rollup is the fold of the distinct events under some key. */
export function fold(events: Iterable<UsageEvent>, keyOf: (event: UsageEvent) => string): Record<string, string> {
  const sums = new Map<string, [tokens: bigint, picodollars: bigint, messages: bigint, unpriced: bigint]>()
  for (const event of events) {
    const [tokens, cost, messages, unpriced] = sums.get(keyOf(event)) ?? [0n, 0n, 0n, 0n]
    const own = costOf(event)
    sums.set(keyOf(event), [
      tokens + BigInt(event.input_tokens + event.output_tokens),
      cost + (own ?? 0n),
      messages + BigInt(event.message_count),
      unpriced + (own === null ? 1n : 0n),
    ])
  }
  return Object.fromEntries([...sums].sort().map(([key, values]) => [key, values.join(' ')]))
}
