import { monthOf, type Reference, stateOf } from '@tollgate/shared/testing'
import type { OrganizationTerms } from '../load/run-operator.ts'
import type { Finding, Queryable } from './finding.ts'

interface StateRow {
  id: string
  state: string
  used: number
  at: number
}

const STATES = `select o.id, coalesce(s.state, 'active') as state,
    coalesce((select sum(e.total_tokens) from tollgate.usage_events e where e.organization_id = o.id
      and e.period_start = date_trunc('month', now(), 'UTC')), 0)::float8 as used,
    (extract(epoch from now()) * 1000)::float8 as at
  from public.organizations o left join tollgate.enforcement_states s on s.organization_id = o.id
  where o.id = any($1)`

/** Every organization is in the state that the reference model of the quota tests has for its ledger, limit, grants and acts. */
export async function compareStates(db: Queryable, organizations: readonly OrganizationTerms[]): Promise<Finding> {
  const { rows } = await db.query<StateRow>(STATES, [organizations.map(({ id }) => id)])
  const faults = organizations.flatMap((terms) => {
    const row = rows.find(({ id }) => id === terms.id)
    if (row === undefined) return [`${terms.id} is not there`]
    const wanted = stateOf(referenceOf(terms, row))
    if (row.state === wanted) return []
    const { limit, granted, act } = terms
    return [
      `${terms.id} is ${row.state}, not ${wanted} (used ${row.used}, limit ${limit}, granted ${granted}, act ${act})`,
    ]
  })
  const reached = [...new Set(rows.map(({ state }) => state))].toSorted().join(', ')
  return {
    audit: 'quota states = reference model',
    faults,
    looked: `${rows.length} organizations: ${reached}`,
  }
}

function referenceOf({ limit, granted, act }: OrganizationTerms, { used, at }: StateRow): Reference {
  const month = monthOf(at)
  const grant = { amount: granted, priority: 100, order: 0, expires: Number.POSITIVE_INFINITY, createdIn: month }
  return {
    at,
    limit,
    userLimit: null,
    userDefault: null,
    userAct: null,
    totals: new Map([[month, used]]),
    grants: granted === 0 ? [] : [{ ...grant, spent: new Map(), closed: false }],
    act: act === null ? null : { kind: act, until: Number.POSITIVE_INFINITY, used },
  }
}
