import { setTimeout as delay } from 'node:timers/promises'
import type { BooksDrift, BooksScan, Rpc } from '@tollgate/shared/store'
import type { Finding, Queryable } from './finding.ts'

const BUDGET_MS = 1_000
const BUSY_PAUSE_MS = 200

/** Every rollup, chat session and period total is the sum of the ledger, as `tollgate reconcile --report` sees it. */
export async function reconcileDry(rpc: Rpc): Promise<Finding> {
  const drift: BooksDrift[] = []
  let slices = 0
  let scan: BooksScan | null = { repair: false, budget_ms: BUDGET_MS }
  while (scan !== null) {
    const rows: Awaited<ReturnType<typeof reconcile>> = await reconcile(rpc, scan)
    const [step] = rows
    if (step === undefined) break
    slices += step.slices
    drift.push(...step.drift)
    if (step.busy) await delay(BUSY_PAUSE_MS)
    else scan = step.resume
  }
  return {
    audit: 'rollups, sessions and periods = ledger (reconcile)',
    faults: drift.map((row) => JSON.stringify(row)),
    looked: `${slices} slices of the books`,
  }
}

const reconcile = (rpc: Rpc, scan: BooksScan) => rpc('reconcile_books', { scan })

const SUMS = `
  with ledger as (
    select organization_id, sum(event_count)::text as events, sum(total_tokens)::text as tokens,
      coalesce(sum(cost_usd), 0)::text as cost, sum(message_count)::text as messages
    from tollgate.usage_events group by organization_id),
  rollups as (
    select 'usage_metrics' as name, organization_id, sum(event_count)::text as events, sum(tokens_used)::text as tokens,
      sum(cost_usd)::text as cost, sum(message_count)::text as messages from public.usage_metrics group by organization_id
    union all
    select 'usage_by_model', organization_id, sum(event_count)::text, sum(total_tokens)::text, sum(cost_usd)::text,
      sum(message_count)::text from tollgate.usage_by_model group by organization_id
    union all
    select 'usage_by_organization_model', organization_id, sum(event_count)::text, sum(total_tokens)::text,
      sum(cost_usd)::text, sum(message_count)::text from tollgate.usage_by_organization_model group by organization_id
    union all
    select 'chat_sessions', s.organization_id, l.events, sum(total_tokens)::text, sum(cost_usd)::text,
      sum(message_count)::text from public.chat_sessions s join ledger l using (organization_id) group by 2, l.events
    union all
    select 'period_totals', p.organization_id, sum(event_count)::text, sum(used_tokens)::text, sum(cost_usd)::text,
      l.messages from tollgate.period_totals p join ledger l using (organization_id) group by 2, l.messages)
  select n.name, l.organization_id, row(l.events, l.tokens, l.cost::numeric, l.messages)::text as ledger,
    row(r.events, r.tokens, r.cost::numeric, r.messages)::text as rollup
  from ledger l
  cross join (values ('usage_metrics'), ('usage_by_model'), ('usage_by_organization_model'), ('chat_sessions'),
    ('period_totals')) n(name)
  left join rollups r on r.organization_id = l.organization_id and r.name = n.name
  where (l.events, l.tokens, l.cost::numeric, l.messages)
    is distinct from (r.events, r.tokens, r.cost::numeric, r.messages)`

/** The same by plain sums for each organization, which share no code with reconcile. */
export async function compareSums(db: Queryable): Promise<Finding> {
  const { rows } = await db.query<{ name: string; organization_id: string; ledger: string; rollup: string }>(SUMS)
  return {
    audit: 'rollups, sessions and periods = ledger (plain sums)',
    faults: rows.map(
      ({ name, organization_id, ledger, rollup }) =>
        `${name} of ${organization_id} has ${rollup}, the ledger ${ledger} (events, LLM tokens, cost, messages)`,
    ),
    looked: 'five rollups of every organization',
  }
}
