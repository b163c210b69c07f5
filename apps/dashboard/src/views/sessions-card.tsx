import { useEffect } from 'preact/hooks'
import type { SessionRow } from '../data/reports.ts'
import { usePages } from '../data/use-pages.ts'
import { useHeld } from '../data/use-report.ts'
import { toSessionLine } from '../exports/list-lines.ts'
import { formatCount, formatDate, formatDuration, formatMoney, formatTime } from '../figures/format.ts'
import { addDays } from '../filters/days.ts'
import { ExportButtons } from './export-buttons.tsx'
import type { SectionProps } from './section.ts'
import { Card, Failure, Loading, MoreButton, Scroll, Unpriced } from './states.tsx'

const NUMBERS: ReadonlySet<string> = new Set(['Messages', 'LLM tokens', 'Cost'])

/** Chat sessions of the span, or of the day that is looked into, newest first, a page at a time. */
export function SessionsCard({ client, organizationId, position, span, filters, learnNames }: SectionProps) {
  const { day } = filters
  const shown = day === null ? span : { start: day, end: addDays(day, 1) }
  const pages = usePages(client, 'report_sessions', {
    ...{ organization_id: organizationId, ...shown, limit: 20 },
    ...(filters.user === null ? {} : { user_id: filters.user }),
  })
  const { error } = pages
  const rows = useHeld(pages.rows)
  useEffect(() => learnNames(rows ?? []), [rows?.length])
  return (
    <Card title={day === null ? 'Chat sessions' : `Chat sessions of ${formatDate(day)}`}>
      {filters.model !== null && <p class="quiet">Those with all models.</p>}
      {error !== undefined && <Failure what="The sessions" error={error} onRetry={pages.refresh} />}
      {rows === undefined && error === undefined && <Loading what="sessions" isTall />}
      {rows?.length === 0 && <p class="empty">No chat session began in this span.</p>}
      {rows !== undefined && rows.length > 0 && (
        <div class={pages.rows === undefined ? 'busy' : undefined}>
          <SessionTable rows={rows} timeZone={position.time_zone} />
          <MoreButton pages={pages} />
          <ExportButtons name="sessions" lines={() => rows.map(toSessionLine)} count={rows.length} />
        </div>
      )}
    </Card>
  )
}

const SessionTable = ({ rows, timeZone }: { readonly rows: readonly SessionRow[]; readonly timeZone: string }) => (
  <Scroll label="Table of chat sessions">
    <table data-table="sessions">
      <thead>
        <tr>
          {['Began', 'User', 'Model', 'State', 'Lasted', 'Messages', 'LLM tokens', 'Cost'].map((heading) => (
            <th key={heading} scope="col" class={NUMBERS.has(heading) ? 'number' : undefined}>
              {heading}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.cursor}>
            <th scope="row">{formatTime(row.started_at, timeZone)}</th>
            <td>{row.user_name ?? row.user_id}</td>
            <td>{row.model_used ?? '–'}</td>
            <td>{row.status}</td>
            <td>{formatDuration(row.started_at, row.last_activity_at)}</td>
            <td class="number">{formatCount(row.message_count)}</td>
            <td class="number">{formatCount(row.tokens_used)}</td>
            <td class="number">
              {formatMoney(row.cost_usd)}
              <Unpriced usd={row.cost_usd} count={row.unpriced_events} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
)
