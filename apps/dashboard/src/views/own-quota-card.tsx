import type { SupabaseClient } from '@supabase/supabase-js'
import type { QuotaRow, UserLimitRow } from '../data/reports.ts'
import { useReport } from '../data/use-report.ts'
import { formatCount, formatPercent, formatShort, formatTime } from '../figures/format.ts'
import { project, tellReason } from '../figures/outlook.ts'
import { Card, Failure, Loading, StateBadge } from './states.tsx'

interface OwnQuotaCardProps {
  readonly client: SupabaseClient
  readonly position: QuotaRow
  readonly now: number
}

/** The meter of whoever sees the own usage alone: the own limit, where there is one, and nothing of what others used. */
export function OwnQuotaCard({ client, position, now }: OwnQuotaCardProps) {
  const { organization_id } = position
  const { rows, error, refresh } = useReport(client, 'report_user_limits', { organization_id, limit: 1 })
  const row = rows?.[0]
  return (
    <Card title="Your quota">
      {error !== undefined && <Failure what="Your quota" error={error} onRetry={refresh} />}
      {rows === undefined && error === undefined && <Loading what="your quota" />}
      {row !== undefined && <OwnMeter {...{ row, position, now }} />}
    </Card>
  )
}

function OwnMeter({ row, position, now }: Omit<OwnQuotaCardProps, 'client'> & { readonly row: UserLimitRow }) {
  const used = Number(row.used_tokens)
  const limit = row.limit_tokens === null ? null : Number(row.limit_tokens)
  const projected = project({ ...position, used_tokens: row.used_tokens }, now)
  const width = Math.max(1, used, projected ?? 0, limit ?? 0) * 1.02
  const left = (amount: number): string => `${(amount / width) * 100}%`
  return (
    <>
      <p class="quota-line">
        <strong data-own="used">{formatCount(row.used_tokens)}</strong> LLM tokens used by you
        {limit === null
          ? ', without a limit of your own'
          : ` of ${formatCount(BigInt(limit))} (${formatPercent(row.used_tokens, limit)})`}{' '}
        {limit !== null && <StateBadge state={row.state} />}
        {row.state !== 'active' && row.reason !== null && <> {tellReason(row.reason)}</>}
      </p>
      <meter
        class="unseen"
        aria-label="LLM tokens used of your limit"
        min={0}
        max={limit ?? Math.round(width)}
        value={used}
      />
      <div class="meter" aria-hidden="true">
        <i class="used" style={{ width: left(used) }} />
        {projected !== null && <i class="projected" style={{ left: left(projected) }} title="Projected" />}
        {limit !== null && <i class="limit" style={{ left: left(limit) }} title="Limit" />}
      </div>
      <ul class="legend" aria-label="Marks of the meter">
        <li>
          <i class="c-0" aria-hidden="true" /> used
        </li>
        {limit !== null && (
          <li>
            <i class="line limit" aria-hidden="true" /> your limit {formatShort(limit)}
          </li>
        )}
        {projected !== null && (
          <li>
            <i class="line projected" aria-hidden="true" /> projected to the period’s end {formatShort(projected)}
          </li>
        )}
      </ul>
      <p class="quiet">
        The organization’s limit holds for all of its users together: <StateBadge state={position.state} />
        {position.fresh_at !== null && <> Newest usage counted {formatTime(position.fresh_at, position.time_zone)}.</>}
      </p>
    </>
  )
}
