import type { SupabaseClient } from '@supabase/supabase-js'
import type { Me } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { useReport } from '../data/use-report.ts'
import { formatTime } from '../figures/format.ts'
import type { Filters } from '../filters/filters.ts'
import { spanOf } from '../filters/span.ts'
import { EnforcementCard } from './enforcement-card.tsx'
import { FilterBar } from './filter-bar.tsx'
import { LimitsCard } from './limits-card.tsx'
import { QuotaCard } from './quota-card.tsx'
import { SessionsCard } from './sessions-card.tsx'
import { Failure, Loading } from './states.tsx'
import { Tiles } from './tiles.tsx'
import { UsageCard } from './usage-card.tsx'

interface OrganizationPageProps {
  readonly client: SupabaseClient
  readonly api: TokenApi
  readonly self: Me
  readonly organizationId: string
  readonly filters: Filters
  readonly change: (part: Partial<Filters>) => void
}

/** All that the signed-in user may see of one organization. */
export function OrganizationPage({ client, api, self, organizationId, filters, change }: OrganizationPageProps) {
  const quota = useReport(client, 'report_quota', { organization_id: organizationId })
  if (quota.rows === undefined) {
    return quota.error === undefined ? (
      <Loading what="the organization" />
    ) : (
      <Failure what="The organization" error={quota.error} onRetry={quota.refresh} />
    )
  }
  const [position] = quota.rows
  if (position === undefined) return <p class="empty">There is nothing here that you may see.</p>
  const span = spanOf(filters, position, Date.now())
  const isWhole = self.role === 'super_admin' || (self.role === 'admin' && self.organization_id === organizationId)
  const shared = { client, organizationId, position, span, filters, change }
  return (
    <>
      <div class="title">
        <h1>{position.name}</h1>
        <p>
          Plan {position.plan_type} · period {formatTime(position.period_start, position.time_zone)} to{' '}
          {formatTime(position.period_end, position.time_zone)} · {position.time_zone} · as of{' '}
          {formatTime(position.as_of, position.time_zone)}
        </p>
      </div>
      <QuotaCard position={position} now={Date.now()} />
      <FilterBar {...{ filters, change }} />
      <Tiles {...shared} />
      <UsageCard {...shared} />
      <SessionsCard {...shared} />
      {isWhole && <EnforcementCard client={client} position={position} />}
      {isWhole && <LimitsCard {...{ api, self, position }} onChanged={quota.refresh} />}
    </>
  )
}
