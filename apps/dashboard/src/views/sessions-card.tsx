import { useState } from 'preact/hooks'
import type { SessionRow } from '../data/reports.ts'
import { callReport, useReport } from '../data/use-report.ts'
import { formatCount, formatDuration, formatMoney, formatTime } from '../figures/format.ts'
import type { SectionProps } from './section.ts'
import { Card, Failure, Loading } from './states.tsx'

const PAGE = 20
const NUMBERS: ReadonlySet<string> = new Set(['Messages', 'LLM tokens', 'Cost'])

/** Chat sessions of the span, newest first, a page at a time. */
export function SessionsCard({ client, organizationId, position, span, filters }: SectionProps) {
  const query = {
    ...{ organization_id: organizationId, ...span, limit: PAGE },
    ...(filters.user === null ? {} : { user_id: filters.user }),
  }
  const first = useReport(client, 'report_sessions', query)
  const key = JSON.stringify(query)
  const [later, setLater] = useState<{ key: string; rows: SessionRow[] }>({ key, rows: [] })
  const more = later.key === key ? later.rows : []
  const rows = first.rows && [...first.rows, ...more]
  const last = more.at(-1) ?? first.rows?.at(-1)
  const showMore = async (): Promise<void> => {
    if (last === undefined) return
    const page = await callReport(client, 'report_sessions', { ...query, after: last.cursor })
    setLater({ key, rows: [...more, ...page] })
  }
  return (
    <Card title="Chat sessions">
      {first.error !== undefined && <Failure what="The sessions" error={first.error} onRetry={first.refresh} />}
      {rows === undefined && first.error === undefined && <Loading what="sessions" />}
      {rows?.length === 0 && <p class="empty">No chat session began in this span.</p>}
      {rows !== undefined && rows.length > 0 && <SessionTable rows={rows} timeZone={position.time_zone} />}
      {rows !== undefined && rows.length > 0 && rows.length % PAGE === 0 && (
        <button type="button" onClick={showMore}>
          Show more
        </button>
      )}
    </Card>
  )
}

const SessionTable = ({ rows, timeZone }: { readonly rows: readonly SessionRow[]; readonly timeZone: string }) => (
  <div class="scroll">
    <table>
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
            <td class="number">{formatMoney(row.cost_usd)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)
