import type { SupabaseClient } from '@supabase/supabase-js'
import { usePages } from '../data/use-pages.ts'
import { useHeld } from '../data/use-report.ts'
import { formatCount, formatMoney } from '../figures/format.ts'
import type { ChangeFilters } from '../filters/use-filters.ts'
import { Card, Failure, Loading, MoreButton, StateBadge, Unpriced } from './states.tsx'

interface OrganizationListProps {
  readonly client: SupabaseClient
  readonly search: string
  readonly change: ChangeFilters
}

/** Every organization with its present period, for super_admin. */
export function OrganizationList({ client, search, change }: OrganizationListProps) {
  const pages = usePages(client, 'report_organizations', { search, limit: 100 })
  const { error, refresh } = pages
  const rows = useHeld(pages.rows)
  return (
    <Card title="Organizations">
      <label class="search">
        Find{' '}
        <input type="search" value={search} onInput={(event) => change({ search: event.currentTarget.value }, true)} />
      </label>
      {error !== undefined && <Failure what="The list" error={error} onRetry={refresh} />}
      {rows === undefined && error === undefined && <Loading what="organizations" />}
      {rows?.length === 0 && <p class="empty">No organization is called so.</p>}
      {rows !== undefined && rows.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Organization</th>
                <th scope="col">Plan</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  LLM tokens this period
                </th>
                <th scope="col" class="number">
                  Limit
                </th>
                <th scope="col" class="number">
                  Cost
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.organization_id}>
                  <th scope="row">
                    <button type="button" class="link" onClick={() => change({ organization: row.organization_id })}>
                      {row.name}
                    </button>
                  </th>
                  <td>{row.plan_type}</td>
                  <td>
                    <StateBadge state={row.state} />
                  </td>
                  <td class="number">{formatCount(row.used_tokens)}</td>
                  <td class="number">{row.limit_tokens === null ? 'unlimited' : formatCount(row.limit_tokens)}</td>
                  <td class="number">
                    {formatMoney(row.cost_usd)}
                    <Unpriced usd={row.cost_usd} count={row.unpriced_events} />
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
