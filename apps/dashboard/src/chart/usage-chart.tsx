import { fromPicodollars } from '@tollgate/shared/quota/for-pages'
import {
  formatBucket,
  formatBucketFully,
  formatCalls,
  formatCount,
  formatExactMoney,
  formatMoneyTick,
  formatShort,
} from '../figures/format.ts'
import type { Metric } from '../filters/filters.ts'
import { chooseLooks } from './looks.ts'
import type { Bar, Stack } from './stack.ts'

interface UsageChartProps {
  readonly chart: Stack
  /** Keys of all groups that may be shown, in any view: see chooseLooks. */
  readonly known: readonly string[]
  readonly metric: Metric
  readonly timeZone: string
  /** Undefined where a bar cannot be opened any further. */
  readonly onOpen: ((bucket: string) => void) | undefined
  /** The ref of a bar. */
  readonly placeBar: (bucket: string) => (element: HTMLElement | null) => void
}

/** A figure of the chart as the table has it. */
const formatAmount = (amount: bigint, metric: Metric): string =>
  metric === 'cost' ? formatExactMoney(fromPicodollars(amount)) : formatCount(amount)

/** A label of the axis. */
const formatTick = (tick: number, metric: Metric, [, step = 1]: readonly number[]): string =>
  metric === 'cost' ? formatMoneyTick(tick, step) : formatShort(tick)

/** A bar's figure as text; of a cost also what it leaves out, so that nothing unpriced reads as $0. */
function tellBar({ amount, calls, unpriced }: Bar, metric: Metric): string {
  if (metric !== 'cost' || unpriced === 0) return formatAmount(amount, metric)
  return unpriced >= calls ? 'unpriced' : `${formatAmount(amount, metric)} + ${unpriced} unpriced`
}

/** Stacked bars: each is a button that keyboard and screen reader reach. The table beneath holds the same figures. */
export function UsageChart({ chart, known, metric, timeZone, onOpen, placeBar }: UsageChartProps) {
  const unpriced = metric === 'cost' ? chart.bars.reduce((sum, bar) => sum + bar.unpriced, 0) : 0
  const looks = chooseLooks(
    known,
    chart.groups.map(({ key }) => key),
  )
  return (
    <figure class="chart" aria-label={`Usage over time, ${metric}`}>
      <div class="plot">
        {chart.ticks.map((tick) => (
          <div class="tick" key={tick} style={{ bottom: `${(tick / chart.ceiling) * 100}%` }} aria-hidden="true">
            <span>{formatTick(tick, metric, chart.ticks)}</span>
          </div>
        ))}
        <div class="bars">
          {chart.bars.map((bar) => (
            <ChartBar key={bar.bucket} {...{ bar, chart, metric, timeZone, onOpen, placeBar, looks }} />
          ))}
        </div>
      </div>
      <div class="axis" aria-hidden="true">
        {chart.bars.map(({ bucket }, index) => (
          <span key={bucket}>{isLabelled(index, chart.bars.length) ? formatBucket(bucket, timeZone) : ''}</span>
        ))}
      </div>
      <figcaption class="legend">
        {chart.groups.map(({ key, label }) => (
          <span key={key}>
            <i class={looks.get(key)} aria-hidden="true" /> {label}
          </span>
        ))}
        {unpriced > 0 && <span class="unpriced">{formatCalls(BigInt(unpriced))} without a price: not in the bars</span>}
      </figcaption>
    </figure>
  )
}

// About eight labels fit without touching each other, or reaching beyond the last bar and the page.
function isLabelled(index: number, count: number): boolean {
  const step = Math.ceil(count / 8)
  return index % step === 0 && count - index >= (step * 2) / 3
}

interface ChartBarProps extends Omit<UsageChartProps, 'known'> {
  readonly bar: Bar
  readonly looks: ReadonlyMap<string, string>
}

function ChartBar({ bar, chart, metric, timeZone, onOpen, placeBar, looks }: ChartBarProps) {
  const names = new Map(chart.groups.map(({ key, label }) => [key, label]))
  const parts = bar.segments.map(({ group, amount }) => `${names.get(group)} ${formatAmount(amount, metric)}`)
  const text = `${formatBucketFully(bar.bucket, timeZone)}: ${tellBar(bar, metric)}${parts.length > 0 ? ` (${parts.join(', ')})` : ''}`
  return (
    <button
      type="button"
      class="bar"
      ref={placeBar(bar.bucket)}
      title={text}
      aria-label={text}
      aria-disabled={onOpen === undefined}
      onClick={() => onOpen?.(bar.bucket)}
    >
      {bar.segments.map(({ group, value }) => (
        <i key={group} class={looks.get(group)} style={{ height: `${(value / chart.ceiling) * 100}%` }} />
      ))}
    </button>
  )
}
