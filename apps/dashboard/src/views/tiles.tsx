import type { SummaryRow } from '../data/reports.ts'
import { useReport } from '../data/use-report.ts'
import { formatCalls, formatChange, formatCount, formatMoney, formatSpan } from '../figures/format.ts'
import { type Comparison, compareSpans, daysBetween } from '../filters/span.ts'
import type { SectionProps } from './section.ts'
import { Failure } from './states.tsx'

/** The five totals of the span as far as it has come, each with its change against as many earlier days. */
export function Tiles({ client, organizationId, position, filters }: Omit<SectionProps, 'span'>) {
  const compared = compareSpans(filters, position, Date.now())
  const query = {
    organization_id: organizationId,
    ...compared.now,
    previous_start: compared.before.start,
    ...(filters.user === null ? {} : { user_id: filters.user }),
  }
  const { rows, error, refresh } = useReport(client, 'report_summary', query)
  if (error !== undefined && rows === undefined) return <Failure what="The totals" error={error} onRetry={refresh} />
  const row = rows?.[0]
  return (
    <section aria-label="Totals" aria-busy={row === undefined}>
      <div class="tiles">
        {TILES.map(({ name, column, format }) => (
          <div class="tile" key={name}>
            <span class="quiet">
              {name}
              {filters.model !== null && ', all models'}
            </span>
            <strong data-tile={column}>{row === undefined ? '…' : format(row[column])}</strong>
            <span class="quiet">{row === undefined ? ' ' : tellChange(row, column, compared)}</span>
            {column === 'cost_usd' && (
              <span class="note">
                {row === undefined || row.unpriced_events === '0'
                  ? '\u00a0'
                  : `and ${formatCalls(row.unpriced_events)} unpriced`}
              </span>
            )}
          </div>
        ))}
      </div>
      <p class="quiet compared">
        {tellComparison(compared)} Cost is the providers’; statements bill the charge where it differs.
      </p>
    </section>
  )
}

function tellChange(row: SummaryRow, column: Column, { isAhead }: Comparison): string {
  if (isAhead) return 'nothing to compare'
  const change = formatChange(row[column], row[`previous_${column}`])
  if (change === '–') return 'nothing to compare'
  const isInPart = row.unpriced_events !== '0' || row.previous_unpriced_events !== '0'
  // A price that one of the two spans lacks would look like a change of cost.
  return column === 'cost_usd' && isInPart ? `${change} of what is priced` : `${change} to the span before`
}

function tellComparison({ now, before, isRunning, isAhead }: Comparison): string {
  const days = daysBetween(now)
  const told = `${days === 1 ? '1 day' : `${days} days`}${isRunning ? ', the last not over yet' : ''}`
  if (isAhead) return `${formatSpan(now)} (${told}) is still to come.`
  return `${formatSpan(now)} (${told}), compared with ${formatSpan(before)}.`
}

type Column = 'tokens_used' | 'cost_usd' | 'message_count' | 'active_users' | 'sessions'
const asCount = (value: string | null): string => (value === null ? '–' : formatCount(value))
const TILES: readonly { name: string; column: Column & keyof SummaryRow; format: (value: string | null) => string }[] =
  [
    { name: 'LLM tokens', column: 'tokens_used', format: asCount },
    { name: 'Cost', column: 'cost_usd', format: formatMoney },
    { name: 'Messages', column: 'message_count', format: asCount },
    { name: 'Active users', column: 'active_users', format: asCount },
    { name: 'Sessions', column: 'sessions', format: asCount },
  ]
