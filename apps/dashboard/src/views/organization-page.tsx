import type { SupabaseClient } from '@supabase/supabase-js'
import type { Me, QuotaRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { LiveContext, useLive } from '../data/use-live.ts'
import { useNames } from '../data/use-names.ts'
import { useReport } from '../data/use-report.ts'
import { formatTime } from '../figures/format.ts'
import { type Filters, HOME, isId, VIEWS } from '../filters/filters.ts'
import { spanOf } from '../filters/span.ts'
import { EnforcementCard } from './enforcement-card.tsx'
import { FilterBar } from './filter-bar.tsx'
import { GrantsCard } from './grants-card.tsx'
import { LimitsCard } from './limits-card.tsx'
import { OwnQuotaCard } from './own-quota-card.tsx'
import { PolicyCard } from './policy-card.tsx'
import { QuotaCard } from './quota-card.tsx'
import { SessionsCard } from './sessions-card.tsx'
import { StatementPage } from './statement-page.tsx'
import { Failure, Loading, Nothing, useTitle } from './states.tsx'
import { Tiles } from './tiles.tsx'
import { UsageCard } from './usage-card.tsx'
import { useFocusMoves } from './use-focus-moves.ts'
import { UserLimitsCard } from './user-limits-card.tsx'
import { WebhooksCard } from './webhooks-card.tsx'

interface OrganizationPageProps {
  readonly client: SupabaseClient
  readonly api: TokenApi
  readonly self: Me
  readonly organizationId: string
  readonly filters: Filters
  readonly change: (part: Partial<Filters>) => void
}

/** All that the signed-in user may see of one organization, kept fresh while it is open. */
export function OrganizationPage(props: OrganizationPageProps) {
  const live = useLive(props.client, props.organizationId)
  return (
    <LiveContext.Provider value={live}>
      <Organization {...props} />
    </LiveContext.Provider>
  )
}

function Organization({ client, api, self, organizationId, filters, change }: OrganizationPageProps) {
  const quota = useReport(client, 'report_quota', { organization_id: organizationId })
  const [names, learnNames] = useNames()
  const focus = useFocusMoves()
  const isUsage = filters.view === 'usage'
  useTitle(isUsage ? quota.rows?.[0]?.name : undefined)
  if (quota.rows === undefined) {
    return quota.error === undefined ? (
      <Loading what="the organization" />
    ) : (
      <Failure what="The organization" error={quota.error} onRetry={quota.refresh} />
    )
  }
  const [position] = quota.rows
  if (position === undefined) return <Nothing onBack={() => change(HOME)} />
  const span = spanOf(filters, position, Date.now())
  const isWhole = self.role === 'super_admin' || (self.role === 'admin' && self.organization_id === organizationId)
  const shared = { client, organizationId, position, span, filters, change, learnNames, focus }
  if (!isUsage) {
    return (
      <>
        {isWhole && <Views {...{ filters, change }} />}
        <StatementPage {...{ client, organizationId, filters, change }} />
      </>
    )
  }
  if (filters.user !== null && !isId(filters.user)) return <Nothing onBack={() => change({ user: null })} />
  return (
    <>
      {isWhole && <Views {...{ filters, change }} />}
      <PageTitle position={position} />
      {isWhole ? (
        <QuotaCard position={position} now={Date.now()} />
      ) : (
        <OwnQuotaCard client={client} position={position} now={Date.now()} />
      )}
      <FilterBar {...{ filters, change, names, span, focus }} />
      <Tiles {...shared} />
      <UsageCard {...shared} />
      <SessionsCard {...shared} />
      {isWhole && (
        <>
          <EnforcementCard client={client} position={position} />
          <div class="pair">
            <LimitsCard {...{ api, self, position }} onChanged={quota.refresh} />
            <PolicyCard {...{ api, self, position }} onChanged={quota.refresh} />
          </div>
          <GrantsCard {...{ client, api, self, position }} onChanged={quota.refresh} />
          <UserLimitsCard {...{ client, api, position }} onChanged={quota.refresh} />
          <WebhooksCard client={client} position={position} />
        </>
      )}
    </>
  )
}

const VIEW_NAMES: Record<Filters['view'], string> = { usage: 'Usage', statement: 'Statements' }

const Views = ({ filters, change }: Pick<OrganizationPageProps, 'filters' | 'change'>) => (
  <nav class="views" aria-label="Views">
    {VIEWS.map((view) => (
      <button
        key={view}
        type="button"
        aria-current={filters.view === view ? 'page' : undefined}
        onClick={() => change({ view, period: null })}
      >
        {VIEW_NAMES[view]}
      </button>
    ))}
  </nav>
)

const PageTitle = ({ position }: { readonly position: QuotaRow }) => (
  <div class="title">
    <h1>{position.name}</h1>
    <p>
      Plan {position.plan_type} · period {formatTime(position.period_start, position.time_zone)} to{' '}
      {formatTime(position.period_end, position.time_zone)} · {position.time_zone} · as of{' '}
      {formatTime(position.as_of, position.time_zone)}
    </p>
  </div>
)
