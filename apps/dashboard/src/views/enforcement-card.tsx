import type { SupabaseClient } from '@supabase/supabase-js'
import { useEffect, useRef } from 'preact/hooks'
import type { QuotaRow } from '../data/reports.ts'
import { usePages } from '../data/use-pages.ts'
import { toDecisionLine } from '../exports/list-lines.ts'
import { nextStep, tellReason } from '../figures/outlook.ts'
import { DecisionLog } from './decision-log.tsx'
import { ExportButtons } from './export-buttons.tsx'
import { Card, Failure, Loading, MoreButton, StateBadge } from './states.tsx'

interface EnforcementCardProps {
  readonly client: SupabaseClient
  readonly position: QuotaRow
}

/** Where the gate stands, why, what happens next, and every change that is on record. */
export function EnforcementCard({ client, position }: EnforcementCardProps) {
  const pages = usePages(client, 'report_decisions', { organization_id: position.organization_id, limit: 20 })
  const { rows, error, refresh } = pages
  // The log has the decision that the card names, whichever of the two reports was read first.
  const logged = useRef(position.decision_id)
  useEffect(() => {
    if (logged.current !== position.decision_id) refresh()
    logged.current = position.decision_id
  }, [position.decision_id])
  return (
    <Card title="Enforcement">
      <p>
        The organization is <StateBadge state={position.state} />
        {position.state !== 'active' && position.reason !== null && <>: {tellReason(position.reason)}</>}
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
        <>
          <DecisionLog rows={rows} timeZone={position.time_zone} />
          <MoreButton pages={pages} />
          <ExportButtons name="decisions" lines={() => rows.map(toDecisionLine)} count={rows.length} />
        </>
      )}
    </Card>
  )
}
