import { toPicodollars } from '@tollgate/shared/quota/for-pages'
import type { UsageRow } from '../data/reports.ts'
import { PICODOLLARS, sumMoney } from '../figures/money.ts'
import type { Group, Metric } from '../filters/filters.ts'

/** One coloured part of a bar: `value` is its height alone, `amount` the figure (of a cost: picodollars), as exact as the rows. */
interface Segment {
  readonly group: string
  readonly value: number
  readonly amount: bigint
}

/** One bar. */
export interface Bar {
  readonly bucket: string
  readonly segments: readonly Segment[]
  readonly value: number
  readonly amount: bigint
  readonly calls: number
  /** Calls without a known price: a cost has no height for them. */
  readonly unpriced: number
}

/** A stacked chart: groups from the largest to the smallest, bars in time, height of the highest and ticks below it. */
export interface Stack {
  readonly groups: readonly { readonly key: string; readonly label: string }[]
  readonly bars: readonly Bar[]
  readonly ceiling: number
  readonly ticks: readonly number[]
}

const TOP_GROUPS = 7
/** The group of all that is too small for a colour of its own. */
export const OTHER = 'other'

const KINDS: Record<string, string> = {
  input: 'Input',
  cache_read_input: 'Input, read from cache',
  cache_creation_input: 'Input, written to cache',
  output: 'Output',
  reasoning_output: 'Reasoning',
}
/** Every kind of LLM token. */
export const KIND_KEYS: readonly string[] = Object.keys(KINDS)

/** By what a row is grouped: a key, and how it is called. */
export function groupOf(row: UsageRow, by: Group): { key: string; label: string } {
  switch (by) {
    case 'model':
      return { key: row.model ?? '', label: row.model ?? '' }
    case 'user':
      return { key: row.user_id ?? '', label: row.user_name ?? row.user_id ?? '' }
    case 'token_kind':
      return { key: row.token_kind ?? '', label: KINDS[row.token_kind ?? ''] ?? '' }
  }
}

/** A row's figure, exact; what has no price adds nothing to a bar, and is told beside the chart. */
function amountOf(row: UsageRow, metric: Metric): bigint {
  switch (metric) {
    case 'tokens':
      return BigInt(row.tokens_used)
    case 'cost':
      return toPicodollars(row.cost_usd ?? '0')
    case 'messages':
      return BigInt(row.message_count)
  }
}

// What was taken back on a later day is less than nothing there, and has no height.
function heightOf(amount: bigint, metric: Metric): number {
  if (amount < 0n) return 0
  return metric === 'cost' ? Number(amount) / Number(PICODOLLARS) : Number(amount)
}

/** Stacks the rows of a report. Every bucket of the span has a bar, also where nothing was used. */
export function stack(rows: readonly UsageRow[], by: Group, metric: Metric, buckets: readonly string[]): Stack {
  const groups = largestGroups(rows, by, metric)
  const shown = new Set(groups.map(({ key }) => key))
  const sums = new Map(buckets.map((bucket) => [bucket, { amounts: new Map<string, bigint>(), calls: 0, unpriced: 0 }]))
  for (const row of rows) {
    const bar = sums.get(row.bucket ?? '')
    if (!bar) continue
    const { key } = groupOf(row, by)
    const group = shown.has(key) ? key : OTHER
    bar.amounts.set(group, (bar.amounts.get(group) ?? 0n) + amountOf(row, metric))
    bar.calls += Number(row.event_count)
    bar.unpriced += Number(row.unpriced_events)
  }
  const bars = [...sums].map(([bucket, { amounts, calls, unpriced }]) => {
    const segments = groups
      .map(({ key }) => ({ group: key, amount: amounts.get(key) ?? 0n }))
      .filter(({ amount }) => amount !== 0n)
      .map((segment) => ({ ...segment, value: heightOf(segment.amount, metric) }))
    const value = segments.reduce((sum, { value }) => sum + value, 0)
    return { bucket, segments, calls, unpriced, value, amount: segments.reduce((sum, { amount }) => sum + amount, 0n) }
  })
  const ticks = niceTicks(Math.max(0, ...bars.map(({ value }) => value)), metric !== 'cost')
  return { groups, bars, ticks, ceiling: ticks.at(-1) ?? 1 }
}

function largestGroups(rows: readonly UsageRow[], by: Group, metric: Metric): { key: string; label: string }[] {
  const totals = new Map<string, { label: string; total: bigint }>()
  for (const row of rows) {
    const { key, label } = groupOf(row, by)
    totals.set(key, { label, total: (totals.get(key)?.total ?? 0n) + amountOf(row, metric) })
  }
  const ordered = [...totals].sort(([, one], [, two]) => Number(two.total - one.total))
  const top = ordered.slice(0, TOP_GROUPS).map(([key, { label }]) => ({ key, label }))
  return ordered.length > TOP_GROUPS ? [...top, { key: OTHER, label: 'All others' }] : top
}

/** Round numbers from 0 to at least `max`, four or five of them; of a count, whole ones. */
export function niceTicks(max: number, isCount = false): number[] {
  if (max <= 0) return [0, 1]
  const rough = max / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const steps = [1, 2, 2.5, 5, 10].map((factor) => factor * power)
  const step = steps.find((size) => size >= rough && (!isCount || Number.isInteger(size))) ?? 10 * power
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, index) => index * step)
}

/** Totals of a report's rows, exact. */
export function totalsOf(rows: readonly UsageRow[]) {
  const count = (column: 'tokens_used' | 'message_count' | 'unpriced_events'): bigint =>
    rows.reduce((sum, row) => sum + BigInt(row[column]), 0n)
  return {
    tokens: count('tokens_used'),
    messages: count('message_count'),
    unpriced: count('unpriced_events'),
    cost: sumMoney(rows.map((row) => row.cost_usd)),
  }
}
