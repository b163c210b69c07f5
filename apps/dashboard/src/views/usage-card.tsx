import { useMemo } from 'preact/hooks'
import { bucketSize, listBuckets } from '../chart/buckets.ts'
import { stack } from '../chart/stack.ts'
import { UsageChart } from '../chart/usage-chart.tsx'
import { useReport } from '../data/use-report.ts'
import { addDays } from '../filters/span.ts'
import { ExportButtons } from './export-buttons.tsx'
import type { SectionProps } from './section.ts'
import { Card, Failure, Loading } from './states.tsx'
import { UsageTable } from './usage-table.tsx'

/** Usage over time as stacked bars, and the same figures as a table. */
export function UsageCard({ client, organizationId, position, span, filters, change }: SectionProps) {
  const shown = filters.day === null ? span : { start: filters.day, end: addDays(filters.day, 1) }
  const size = bucketSize(shown, filters.day !== null)
  const { rows, error, refresh } = useReport(client, 'report_usage', {
    ...{ organization_id: organizationId, ...shown, bucket: size, group_by: [filters.by] },
    ...(filters.user === null ? {} : { user_id: filters.user }),
    ...(filters.model === null ? {} : { model: filters.model }),
  })
  const { time_zone } = position
  const chart = useMemo(
    () => rows && stack(rows, filters.by, filters.metric, listBuckets(shown, size, time_zone)),
    [rows, filters.by, filters.metric, size, time_zone],
  )
  const onOpen = (bucket: string): void => {
    if (size === 'day') change({ day: bucket })
    else change({ preset: 'custom', start: `${bucket}-01`, end: lastOfMonth(bucket) })
  }
  return (
    <Card title={filters.day === null ? 'Usage' : `Usage of ${filters.day}`}>
      {error !== undefined && <Failure what="The usage" error={error} onRetry={refresh} />}
      <div class="chart-place">
        {chart === undefined && error === undefined && <Loading what="usage" />}
        {rows?.length === 0 && <p class="empty">Nothing was used in this span.</p>}
        {chart !== undefined && rows !== undefined && rows.length > 0 && (
          <UsageChart
            chart={chart}
            metric={filters.metric}
            timeZone={time_zone}
            onOpen={size === 'hour' ? undefined : onOpen}
          />
        )}
      </div>
      {rows !== undefined && rows.length > 0 && (
        <>
          <UsageTable rows={rows} by={filters.by} timeZone={time_zone} change={change} />
          <ExportButtons rows={rows} context={{ organizationId, organizationName: position.name }} />
        </>
      )}
    </Card>
  )
}

function lastOfMonth(month: string): string {
  const [year = 0, number = 1] = month.split('-').map(Number)
  return new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10)
}
