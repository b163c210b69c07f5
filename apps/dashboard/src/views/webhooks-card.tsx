import type { SupabaseClient } from '@supabase/supabase-js'
import type { QuotaRow } from '../data/reports.ts'
import { usePages } from '../data/use-pages.ts'
import { formatTime } from '../figures/format.ts'
import { Card, Failure, Loading, MoreButton, Scroll, StateBadge } from './states.tsx'

const HEADINGS = ['When', 'Notification', 'Endpoint', 'State', 'Attempts', 'Last answer', 'Delivered'] as const

/** What was sent to the organization's endpoints, newest first, and why it did not arrive. */
export function WebhooksCard({ client, position }: { readonly client: SupabaseClient; readonly position: QuotaRow }) {
  const { organization_id, time_zone } = position
  const pages = usePages(client, 'report_webhook_deliveries', { organization_id, limit: 20 })
  const { rows, error } = pages
  return (
    <Card title="Webhook deliveries">
      {error !== undefined && <Failure what="The deliveries" error={error} onRetry={pages.refresh} />}
      {rows === undefined && error === undefined && <Loading what="deliveries" />}
      {rows?.length === 0 && <p class="empty">Nothing was sent yet. Endpoints are set up through the API.</p>}
      {rows !== undefined && rows.length > 0 && (
        <Scroll label="Table of deliveries" isTall>
          <table>
            <thead>
              <tr>
                {HEADINGS.map((heading) => (
                  <th key={heading} scope="col" class={heading === 'Attempts' ? 'number' : undefined}>
                    {heading}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.id}>
                  <th scope="row">{formatTime(row.created_at, time_zone)}</th>
                  <td>{row.type}</td>
                  <td class="long">{row.endpoint_url}</td>
                  <td>
                    <StateBadge state={row.state} />
                  </td>
                  <td class="number">{row.attempts}</td>
                  <td class="long">{row.last_error ?? row.last_status ?? '–'}</td>
                  <td>{row.delivered_at === null ? '–' : formatTime(row.delivered_at, time_zone)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <MoreButton pages={pages} />
    </Card>
  )
}
