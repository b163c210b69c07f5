import type { SupabaseClient } from '@supabase/supabase-js'
import type { QuotaRow } from '../data/reports.ts'
import { useReport } from '../data/use-report.ts'
import { formatCount } from '../figures/format.ts'
import { tellReason } from '../figures/outlook.ts'
import { Card, Failure, Loading, StateBadge } from './states.tsx'

/** What holds for the signed-in user alone, beside the organization's limit. */
export function OwnLimitCard({ client, position }: { readonly client: SupabaseClient; readonly position: QuotaRow }) {
  const { organization_id } = position
  const { rows, error, refresh } = useReport(client, 'report_user_limits', { organization_id, limit: 1 })
  const row = rows?.[0]
  return (
    <Card title="Your limit">
      {error !== undefined && <Failure what="Your limit" error={error} onRetry={refresh} />}
      {rows === undefined && error === undefined && <Loading what="your limit" />}
      {row !== undefined && (
        <p>
          You used <strong data-own="used">{formatCount(row.used_tokens)}</strong> LLM tokens in this period,{' '}
          {row.limit_tokens === null
            ? 'without a limit of your own: the organization’s holds.'
            : `of ${formatCount(row.limit_tokens)} that hold for you beside the organization’s limit.`}{' '}
          {row.limit_tokens !== null && <StateBadge state={row.state} />}
          {row.state !== 'active' && row.reason !== null && <> {tellReason(row.reason)}</>}
        </p>
      )}
    </Card>
  )
}
