import {
  type Correction,
  correctionOf,
  type Delivery,
  eventOf,
  ORGANIZATIONS,
  type UsageEvent,
} from './usage-fixture.ts'

/** Sums of a rollup. Money in picodollars. */
export interface Sums {
  tokens: bigint
  cost: bigint
  charge: bigint
  messages: bigint
  events: bigint
  unpriced: bigint
}

/** Prices in the price book, US dollars per million LLM tokens, as whole picodollars per LLM token. */
const PICODOLLARS: Record<string, { input: bigint; cacheRead: bigint; output: bigint }> = {
  'gpt-4o': { input: 2_500_000n, cacheRead: 1_250_000n, output: 10_000_000n },
  'gpt-4o-mini': { input: 150_000n, cacheRead: 75_000n, output: 600_000n },
}

/** The markup that tests give the first organization, in thousandths of a percent. */
export const MARKUP = 3_333n

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

/** Cost and markup, rounded half up to a picodollar. */
function chargeOf(event: UsageEvent, cost: bigint): bigint {
  return event.organization_id === ORGANIZATIONS[0] ? (cost * (100_000n + MARKUP) + 50_000n) / 100_000n : cost
}

function correct(event: UsageEvent, correction: Correction): UsageEvent {
  const isEmpty = correction.input_tokens + correction.output_tokens === 0
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens } = correction
  const { reasoning_output_tokens, message_count = isEmpty ? 0 : event.message_count } = correction
  const counts = { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens }
  return { ...event, ...counts, reasoning_output_tokens, message_count }
}

/** The reference, first half: of what was delivered, each event as its highest revision says. */
export function whatHolds(delivered: readonly Delivery[], now: number): UsageEvent[] {
  const keys = new Set(delivered.filter(([, revision]) => revision === 0).map(([key]) => key))
  return [...keys].map((key) => {
    const revision = Math.max(...delivered.filter(([other]) => other === key).map(([, own]) => own))
    return revision === 0 ? eventOf(key, now) : correct(eventOf(key, now), correctionOf(key, revision, now))
  })
}

/** The reference, second half: a rollup is the fold of the events under some key. */
export function fold(events: Iterable<UsageEvent>, keyOf: (event: UsageEvent) => string): Map<string, Sums> {
  const sums = new Map<string, Sums>()
  for (const event of events) {
    const at = sums.get(keyOf(event)) ?? { tokens: 0n, cost: 0n, charge: 0n, messages: 0n, events: 0n, unpriced: 0n }
    const isVoid = event.input_tokens + event.output_tokens + event.message_count === 0
    const cost = isVoid ? 0n : costOf(event)
    sums.set(keyOf(event), {
      tokens: at.tokens + BigInt(event.input_tokens + event.output_tokens),
      cost: at.cost + (cost ?? 0n),
      charge: at.charge + (cost === null ? 0n : chargeOf(event, cost)),
      messages: at.messages + BigInt(event.message_count),
      events: at.events + (isVoid ? 0n : 1n),
      unpriced: at.unpriced + (cost === null ? 1n : 0n),
    })
  }
  return sums
}
