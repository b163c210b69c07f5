import type { MachineFacts } from '../machine-facts.ts'
import type { Spread } from '../statistics.ts'

/** What a figure must reach. */
export interface Goal {
  readonly is: 'at least' | 'at most'
  readonly value: number
}

/** How one contender compares with another. */
export interface Ratio extends Spread {
  readonly name: string
  readonly goal?: Goal // not every comparison has one
}

/** An absolute figure; it moves with the machine. */
export interface Figure extends Spread {
  readonly name: string
  readonly unit: 'events/s' | 'requests/s' | 'ms' | 'µs' | 'MB' | 'kB' | 'LLM tokens'
  readonly goal?: Goal // most are there to be compared
}

/** What a scenario found. It exists only when the totals in the database were exactly what was sent. */
export interface ScenarioReport {
  readonly scenario: string
  readonly ratios: readonly Ratio[]
  readonly figures: readonly Figure[]
  readonly notes: readonly string[]
}

/** All that a run of the bench found. */
export interface BenchResult {
  readonly date: string
  readonly settings: readonly string[]
  readonly machine: MachineFacts
  readonly scenarios: readonly ScenarioReport[]
}

/** Whether a figure reaches its goal; undefined when it has none. */
export function reaches({ value, goal }: Ratio | Figure): boolean | undefined {
  if (goal === undefined) return undefined
  return goal.is === 'at least' ? value >= goal.value : value <= goal.value
}
