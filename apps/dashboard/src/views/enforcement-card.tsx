import type { SupabaseClient } from '@supabase/supabase-js'
import type { QuotaRow } from '../data/reports.ts'
import { usePages } from '../data/use-pages.ts'
import { formatTime } from '../figures/format.ts'
import { nextStep } from '../figures/outlook.ts'
import { Card, Failure, Loading, MoreButton, StateBadge } from './states.tsx'

interface EnforcementCardProps {
  readonly client: SupabaseClient
  readonly position: QuotaRow
}

/** Where the gate stands, why, what happens next, and every change that is on record. */
export function EnforcementCard({ client, position }: EnforcementCardProps) {
  const pages = usePages(client, 'report_decisions', { organization_id: position.organization_id, limit: 20 })
  const { rows, error, refresh } = pages
  return (
    <Card title="Enforcement">
      <p>
        The organization is <StateBadge state={position.state} />
        {position.state !== 'active' && position.reason !== null && <> because of {position.reason}</>}
        {position.decision_id !== null && (
          <>
            {' '}
            (decision <code>{position.decision_id}</code>)
          </>
        )}
        .
      </p>
      <p>
        <strong>What happens next:</strong> {nextStep(position)}
      </p>
      {error !== undefined && <Failure what="The decisions" error={error} onRetry={refresh} />}
      {rows === undefined && error === undefined && <Loading what="decisions" />}
      {rows?.length === 0 && <p class="empty">Nothing was decided yet.</p>}
      {rows !== undefined && rows.length > 0 && (
        <div class="scroll tall">
          <table>
            <thead>
              <tr>
                {['When', 'From', 'To', 'Reason', 'By', 'Decision'].map((heading) => (
                  <th key={heading} scope="col">
                    {heading}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.id}>
                  <th scope="row">{formatTime(row.decided_at, position.time_zone)}</th>
                  <td>{row.from_state}</td>
                  <td>
                    <StateBadge state={row.to_state} />
                  </td>
                  <td>{row.reason}</td>
                  <td>{row.actor}</td>
                  <td>
                    <code title={row.id}>{row.id.slice(0, 8)}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <MoreButton pages={pages} />
    </Card>
  )
}
