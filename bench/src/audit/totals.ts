import { BenchError } from '../bench-error.ts'
import type { UsageRow } from '../load/make-events.ts'

/** Events and their LLM tokens. */
export interface Totals {
  readonly events: number
  readonly inputTokens: number
  readonly outputTokens: number
}

/** Nothing. */
export const NO_TOTALS: Totals = { events: 0, inputTokens: 0, outputTokens: 0 }

type Counts = Pick<UsageRow, 'input_tokens' | 'output_tokens'>

/** Adds up the counts of events. */
export function sumOf(counts: Iterable<Counts>): Totals {
  const sum = { ...NO_TOTALS }
  for (const { input_tokens, output_tokens } of counts) {
    sum.events += 1
    sum.inputTokens += input_tokens
    sum.outputTokens += output_tokens
  }
  return sum
}

/** Adds two totals. */
export function add(one: Totals, other: Totals): Totals {
  return {
    events: one.events + other.events,
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
  }
}

/** Compares what tables hold with what was sent. @throws BenchError unless they are exactly equal */
export function requireEqual(sent: Totals, held: ReadonlyMap<string, Totals>): void {
  const wrong = [...held].filter(([, totals]) => describe(totals) !== describe(sent))
  if (wrong.length === 0) return
  const lines = wrong.map(([table, totals]) => `  ${table}: ${describe(totals)}`)
  throw new BenchError(
    `No figure is given, because what was counted is not what was sent.\n  sent: ${describe(sent)}\n${lines.join('\n')}`,
  )
}

function describe({ events, inputTokens, outputTokens }: Totals): string {
  return `${events} events, ${inputTokens} input and ${outputTokens} output tokens`
}
