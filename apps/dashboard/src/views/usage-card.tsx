import { useEffect, useMemo } from 'preact/hooks'
import { bucketSize, listBuckets } from '../chart/buckets.ts'
import { stack } from '../chart/stack.ts'
import { UsageChart } from '../chart/usage-chart.tsx'
import type { QuotaRow } from '../data/reports.ts'
import { useKnownGroups } from '../data/use-known-groups.ts'
import { useHeld, useReport } from '../data/use-report.ts'
import { type FocusContext, usageToFocus } from '../exports/focus.ts'
import { toUsageLine } from '../exports/list-lines.ts'
import { formatDate } from '../figures/format.ts'
import { sortUsage } from '../figures/sort-usage.ts'
import { addDays } from '../filters/days.ts'
import { type Span, spanOf } from '../filters/span.ts'
import { ExportButtons } from './export-buttons.tsx'
import { barName, CHART_NAME, DAY_NAME } from './focus-names.ts'
import type { SectionProps } from './section.ts'
import { Card, Failure, Loading } from './states.tsx'
import { UsageTable } from './usage-table.tsx'

/** Usage over time as stacked bars, and the same figures as a table. */
export function UsageCard(props: SectionProps) {
  const { client, organizationId, position, span, filters, change, learnNames, focus } = props
  const shown = filters.day === null ? span : { start: filters.day, end: addDays(filters.day, 1) }
  const size = bucketSize(shown)
  const { rows, error, refresh } = useReport(client, 'report_usage_whole', {
    ...{ organization_id: organizationId, ...shown, bucket: size, group_by: [filters.by] },
    ...(filters.user === null ? {} : { user_id: filters.user }),
    ...(filters.model === null ? {} : { model: filters.model }),
  })
  useEffect(() => learnNames(rows ?? []), [rows])
  const known = useKnownGroups(client, organizationId, knownSpan(props), filters.by)
  const { time_zone } = position
  const fresh = useMemo(() => {
    if (rows === undefined || known === undefined) return undefined
    const { by, metric } = filters
    return { rows, known, by, metric, size, chart: stack(rows, by, metric, listBuckets(shown, size, time_zone)) }
  }, [rows, known, filters.by, filters.metric, size, time_zone])
  // Rows of one grouping are never drawn as another: the whole picture stays until the next one is there.
  const view = useHeld(fresh)
  const { sort } = filters
  const sorted = useMemo(() => view && sortUsage(view.rows, sort, view.by), [view, sort])
  const onOpen = (bucket: string): void => {
    focus.want(size === 'day' ? DAY_NAME : CHART_NAME)
    if (size === 'day') change({ day: bucket })
    else change({ preset: 'custom', start: `${bucket}-01`, end: lastOfMonth(bucket) })
  }
  return (
    <Card
      title={filters.day === null ? 'Usage' : `Usage of ${formatDate(filters.day)}`}
      headingRef={focus.place(CHART_NAME)}
    >
      {error !== undefined && <Failure what="The usage" error={error} onRetry={refresh} />}
      {view === undefined && error === undefined && <Loading what="usage" isTall />}
      {view?.rows.length === 0 && <p class="empty chart-place">Nothing was used in this span.</p>}
      {view !== undefined && sorted !== undefined && sorted.length > 0 && (
        <div class={fresh === undefined ? 'busy' : undefined} aria-busy={fresh === undefined}>
          <UsageChart
            {...{ chart: view.chart, known: view.known, metric: view.metric, timeZone: time_zone }}
            onOpen={view.size === 'hour' ? undefined : onOpen}
            placeBar={(bucket) => focus.place(barName(bucket))}
          />
          <UsageTable {...{ rows: sorted, sort, by: view.by, timeZone: time_zone, change }} />
          <ExportButtons
            name="usage"
            lines={() => sorted.map((row) => toUsageLine(row, view.by))}
            // A file of costs: kinds of LLM tokens have none.
            focus={view.by === 'token_kind' ? undefined : () => usageToFocus(sorted, focusContext(position))}
            count={sorted.length}
            isPrintable
          />
        </div>
      )}
    </Card>
  )
}

// A year at least, so that a month and a day of it have the same colours.
function knownSpan({ filters, position, span }: SectionProps): Span {
  const year = spanOf({ ...filters, preset: 'last-12-months' }, position, Date.now())
  return span.start < year.start ? span : year
}

const focusContext = (position: QuotaRow): FocusContext => ({
  account: { id: position.organization_id, name: position.name },
  timeZone: position.time_zone,
  period: { start: toUtc(position.period_start), end: toUtc(position.period_end) },
})

const toUtc = (time: string): string => `${new Date(time).toISOString().slice(0, 19)}Z`

function lastOfMonth(month: string): string {
  const [year = 0, number = 1] = month.split('-').map(Number)
  return new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10)
}
