import type { SupabaseClient } from '@supabase/supabase-js'
import type { PeriodRow, StatementRow } from '../data/reports.ts'
import { useReport } from '../data/use-report.ts'
import { statementToFocus } from '../exports/focus.ts'
import { toStatementLines } from '../exports/statement-lines.ts'
import { formatCalls, formatCount, formatDate, formatTime } from '../figures/format.ts'
import type { Filters } from '../filters/filters.ts'
import { ExportButtons } from './export-buttons.tsx'
import { StatementLines } from './statement-lines.tsx'
import { Failure, Loading, Nothing, useTitle } from './states.tsx'

interface StatementPageProps {
  readonly client: SupabaseClient
  readonly organizationId: string
  readonly filters: Filters
  readonly change: (part: Partial<Filters>) => void
}

/** The statement of a period, as it is printed; which one stands in the address. */
export function StatementPage({ client, organizationId, filters, change }: StatementPageProps) {
  const periods = useReport(client, 'report_periods', { organization_id: organizationId })
  const { rows, error, refresh } = useReport(client, 'report_statement', {
    organization_id: organizationId,
    ...(filters.period === null ? {} : { day: filters.period }),
  })
  const row = rows?.[0]
  useTitle(row && `Statement ${row.name} ${row.first_day}`)
  if (error !== undefined && row === undefined) return <Failure what="The statement" error={error} onRetry={refresh} />
  if (rows === undefined) return <Loading what="the statement" />
  if (row === undefined) return <Nothing onBack={() => change({ view: 'usage', period: null })} />
  return (
    <>
      <StatementBar periods={periods.rows ?? []} row={row} change={change} />
      <article class="card statement" aria-label="Statement">
        <StatementHead row={row} />
        <StatementLines row={row} />
        <StatementNotes row={row} />
      </article>
    </>
  )
}

interface StatementBarProps extends Pick<StatementPageProps, 'change'> {
  readonly periods: readonly PeriodRow[]
  readonly row: StatementRow
}

function StatementBar({ periods, row, change }: StatementBarProps) {
  const lines = toStatementLines(row)
  const lastDays = new Map(periods.map(({ first_day, last_day }) => [first_day, last_day]))
  const known = periods.some(({ first_day }) => first_day === row.first_day)
  const choices = known ? periods : [row, ...periods]
  return (
    <div class="filters">
      <label>
        Period{' '}
        <select value={row.first_day} onChange={(event) => change({ period: event.currentTarget.value })}>
          {choices.map(({ first_day, last_day, state }) => (
            <option key={first_day} value={first_day}>
              {formatDate(first_day)} – {formatDate(last_day)}
              {state === 'frozen' ? '' : ` (${state})`}
            </option>
          ))}
        </select>
      </label>
      <span class="grow" />
      <ExportButtons
        name={`statement-${row.domain}-${row.first_day}`}
        lines={() => lines}
        focus={() => statementToFocus(row, lastDays)}
        count={lines.length}
        isPrintable
      />
    </div>
  )
}

const STATES: Record<StatementRow['state'], string> = {
  open: 'Open: usage up to now.',
  over: 'Over, not closed: usage that comes late still counts here.',
  frozen: 'Closed: these figures do not change any more.',
}

const StatementHead = ({ row }: { readonly row: StatementRow }) => (
  <header class="statement-head">
    <div>
      <p class="quiet">Statement of LLM usage</p>
      <h1>{row.name}</h1>
      <p class="quiet">{row.domain}</p>
    </div>
    <dl>
      <dt>Period</dt>
      <dd data-statement="period">
        {formatDate(row.first_day)} – {formatDate(row.last_day)}
      </dd>
      <dt>Time zone</dt>
      <dd>{row.time_zone}</dd>
      <dt>Plan</dt>
      <dd>{row.plan_type}</dd>
      <dt>State</dt>
      <dd data-statement="state">
        {STATES[row.state]}
        {row.closed_at !== null && <> Closed {formatTime(row.closed_at, row.time_zone)}.</>}
      </dd>
      <dt>As of</dt>
      <dd>{formatTime(row.as_of, row.time_zone)}</dd>
    </dl>
  </header>
)

function StatementNotes({ row }: { readonly row: StatementRow }) {
  const { time_zone, total, later } = row
  return (
    <footer class="quiet">
      {total.unpriced_events !== '0' && (
        <p>{formatCalls(total.unpriced_events)} without a known price: in no amount of this statement.</p>
      )}
      {later.map((line) => (
        <p key={line.period_start}>
          {formatCount(line.tokens_used)} LLM tokens of this period came after it was closed. They are in the statement
          of the period from {formatTime(line.period_start, time_zone)}.
        </p>
      ))}
      <p>
        Amounts in US dollars. Cost is what model providers charge, charge what is billed. Input includes cached input.
      </p>
    </footer>
  )
}
