import type { SummaryRow } from '../data/reports.ts'
import { useReport } from '../data/use-report.ts'
import { formatChange, formatCount, formatMoney } from '../figures/format.ts'
import type { SectionProps } from './section.ts'
import { Failure } from './states.tsx'

/** The five totals of the span, each with its change against as many days before. */
export function Tiles({ client, organizationId, span, filters }: SectionProps) {
  const query = {
    organization_id: organizationId,
    ...span,
    ...(filters.user === null ? {} : { user_id: filters.user }),
  }
  const { rows, error, refresh } = useReport(client, 'report_summary', query)
  if (error !== undefined && rows === undefined) return <Failure what="The totals" error={error} onRetry={refresh} />
  const row = rows?.[0]
  return (
    <div class="tiles" aria-busy={row === undefined}>
      {TILES.map(({ name, column, format }) => (
        <div class="tile" key={name}>
          <span class="quiet">{name}</span>
          <strong data-tile={column}>{row === undefined ? '…' : format(row[column])}</strong>
          <span class="quiet">
            {row === undefined ? ' ' : `${formatChange(row[column], row[`previous_${column}`])} against before`}
          </span>
        </div>
      ))}
      {row !== undefined && row.unpriced_events !== '0' && (
        <p class="note">
          {formatCount(row.unpriced_events)} calls have no known price: they are in no cost shown here.
        </p>
      )}
    </div>
  )
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
