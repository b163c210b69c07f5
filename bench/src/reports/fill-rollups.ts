import { randomUUID } from 'node:crypto'
import type pg from 'pg'

/** Who asks for reports: the admin of an organization and one of its users. */
export interface Asker {
  readonly organizationId: string
  readonly adminId: string
  readonly userId: string
}

/** How much is filled in. */
export interface RollupSize {
  readonly organizations: number
  readonly days: number
  /** Of each organization; all of them use it every day. */
  readonly users: number
  /** That a user calls on a day, of the ten there are. */
  readonly models: number
  /** Of each user and model a day: what the rows are the sum of. */
  readonly calls: number
}

// As ingestion leaves them: the rows of a day lie together, those of an organization are spread over all days.
const BY_MODEL = `
  insert into tollgate.usage_by_model (organization_id, date, model, user_id, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd,
    message_count, event_count, unpriced_events)
  select o.id, d::date, 'model-' || (u.n + m + extract(day from d)::integer) % 10, u.id, 1000 * $5, 100 * $5, 100 * $5, 0, 10 * $5,
    1100 * $5, 0.0123456789 * $5, 0.0148148147 * $5, $5, $5, 0
  from generate_series(current_date - ($3::integer - 1), current_date, '1 day') d
  cross join unnest($1::uuid[]) with ordinality o (id, n)
  join unnest($2::uuid[]) with ordinality u (id, n) on (u.n - 1) / ($6::integer) = o.n - 1
  cross join generate_series(1, $4::integer) m
  order by d, o.id`
const BY_USER = `
  insert into public.usage_metrics (organization_id, user_id, date, tokens_used, input_tokens, output_tokens, cost_usd, charge_usd,
    message_count, event_count)
  select m.organization_id, m.user_id, m.date, sum(m.total_tokens), sum(m.input_tokens), sum(m.output_tokens), sum(m.cost_usd),
    sum(m.charge_usd), sum(m.message_count), sum(m.event_count)
  from tollgate.usage_by_model m where m.organization_id = any ($1) group by 1, 2, 3 order by 3, 1, 2`
const BY_ORGANIZATION_MODEL = `
  insert into tollgate.usage_by_organization_model (organization_id, date, model, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd, message_count,
    event_count, unpriced_events)
  select m.organization_id, m.date, m.model, sum(m.input_tokens), sum(m.output_tokens), sum(m.cache_read_input_tokens), 0,
    sum(m.reasoning_output_tokens), sum(m.total_tokens), sum(m.cost_usd), sum(m.charge_usd), sum(m.message_count),
    sum(m.event_count), 0
  from tollgate.usage_by_model m where m.organization_id = any ($1) group by 1, 2, 3 order by 2, 1, 3`

/** Fills the rollups with what so many calls would have left, and gives who may ask for them. */
export async function fillRollups(db: pg.Pool, size: RollupSize): Promise<Asker[]> {
  const organizations = Array.from({ length: size.organizations }, () => randomUUID())
  const users = organizations.flatMap(() => Array.from({ length: size.users }, () => randomUUID()))
  await db.query(
    `insert into public.organizations (id, name, domain, plan_type) select id, 'Reports', 'reports-' || id, 'enterprise'
     from unnest($1::uuid[]) id`,
    [organizations],
  )
  await db.query(`insert into auth.users (id, email) select id, id || '@bench.example' from unnest($1::uuid[]) id`, [
    users,
  ])
  await db.query(
    `insert into public.profiles (id, organization_id, role, email)
     select u.id, o.id, case (u.n - 1) % $3 when 0 then 'admin' else 'user' end, u.id || '@bench.example'
     from unnest($1::uuid[]) with ordinality u (id, n)
     join unnest($2::uuid[]) with ordinality o (id, n) on (u.n - 1) / $3 = o.n - 1`,
    [users, organizations, size.users],
  )
  await db.query(BY_MODEL, [organizations, users, size.days, size.models, size.calls, size.users])
  await db.query(BY_USER, [organizations])
  await db.query(BY_ORGANIZATION_MODEL, [organizations])
  for (const table of ['public.usage_metrics', 'tollgate.usage_by_model', 'tollgate.usage_by_organization_model']) {
    await db.query(`vacuum (analyze) ${table}`)
  }
  await db.query('checkpoint')
  return organizations.map((organizationId, n) => ({
    organizationId,
    adminId: users[n * size.users] ?? '',
    userId: users[n * size.users + 1] ?? '',
  }))
}

const LEDGER = `
  insert into tollgate.usage_events (
    organization_id, digest, source, event_id, time, received_at, user_id, session_id, model, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, message_count,
    unpriced_events, usage_date, period_start)
  select o.id, substring(sha256(convert_to($2 || '/' || i, 'UTF8')) for 16), 'reports', $2 || '/' || i, t.at, t.at, o.user_id, 'fill',
    'model-1', 100, 10, 0, 0, 0, 110, 1, 1, t.at::date, date_trunc('month', t.at)
  from generate_series(1, $1::integer) i
  join unnest($3::uuid[], $4::uuid[]) with ordinality o (id, user_id, n) on o.n = 1 + i % cardinality($3)
  cross join lateral (select now() - (i % 2500000) * interval '1 second' as at) t`

/** Adds rows to the ledger alone, of the organizations that are asked about. `round` makes them others each time. */
export async function growLedger(db: pg.Pool, askers: readonly Asker[], rows: number, round: string): Promise<void> {
  const values = [askers.map(({ organizationId }) => organizationId), askers.map(({ userId }) => userId)]
  await db.query(LEDGER, [rows, round, ...values])
  await db.query('analyze tollgate.usage_events')
}
