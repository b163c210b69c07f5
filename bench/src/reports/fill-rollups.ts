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
  /** Of each organization; all of them use it every day, each another of ten models. */
  readonly users: number
  /** Of each user a day: what a row is the sum of. */
  readonly calls: number
}

// By day, and within a day in any order, as first calls of a day come: an organization's rows lie each on another page.
const DAYS = `generate_series(current_date - ($3::integer - 1), current_date, '1 day') d
  cross join unnest($1::uuid[]) with ordinality o (id, n)`
const USERS = `join unnest($2::uuid[]) with ordinality u (id, n) on (u.n - 1) / $5::integer = o.n - 1`
const FILLS: Readonly<Record<string, string>> = {
  'tollgate.usage_by_model': `insert into tollgate.usage_by_model (organization_id, date, model, user_id, input_tokens, output_tokens,
     cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd,
     message_count, event_count, unpriced_events)
   select o.id, d::date, 'model-' || (u.n + extract(day from d)::integer) % 10, u.id, 1000 * $4::integer, 100 * $4, 100 * $4, 0,
     10 * $4, 1100 * $4, 0.0123456789 * $4, 0.0148148147 * $4, $4, $4, 0
   from ${DAYS} ${USERS} order by d, hashtext(d::text || u.id)`,
  'public.usage_metrics': `insert into public.usage_metrics (organization_id, user_id, date, tokens_used, input_tokens, output_tokens, cost_usd,
     charge_usd, message_count, event_count)
   select o.id, u.id, d::date, 1100 * $4::integer, 1000 * $4, 100 * $4, 0.0123456789 * $4, 0.0148148147 * $4, $4, $4
   from ${DAYS} ${USERS} order by d, hashtext(d::text || u.id)`,
  // A session of each user each day.
  'public.chat_sessions': `insert into public.chat_sessions (organization_id, user_id, librechat_session_id, model_used, model_used_at, started_at,
     last_activity_at, end_event_at, end_event_reason, message_count, input_tokens, output_tokens, total_tokens, cost_usd, charge_usd)
   select o.id, u.id, 'fill-' || d::date, 'model-1', t.at, t.at - interval '1 hour', t.at, t.at, 'logout', $4::integer, 1000 * $4,
     100 * $4, 1100 * $4, 0.0123456789 * $4, 0.0148148147 * $4
   from ${DAYS} ${USERS} cross join lateral (select d + (8 + u.n % 12) * interval '1 hour' as at) t order by d, hashtext(d::text || u.id)`,
  'tollgate.usage_by_organization_model': `insert into tollgate.usage_by_organization_model (organization_id, date, model, input_tokens, output_tokens,
     cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd,
     message_count, event_count, unpriced_events)
   select o.id, d::date, 'model-' || m, w * 1000, w * 100, w * 100, 0, w * 10, w * 1100, w * 0.0123456789, w * 0.0148148147, w, w, 0
   from ${DAYS} cross join generate_series(0, 9) m
   cross join lateral (select $4::integer * $5::integer / 10 as w) each
   where cardinality($2::uuid[]) > 0
   order by d, hashtext(d::text || m || o.id)`,
}

const FOLD = `select tollgate.fold_month(f.id, f.month) from (
    select o.id, m::date as month from unnest($1::uuid[]) o (id)
    cross join generate_series(date_trunc('month', current_date::timestamp - $2::integer * interval '1 day'), current_date, '1 month') m
    where m + interval '1 month' <= tollgate.foldable_before(o.id) order by m, o.id) f`

/** Fills the rollups and the sessions with what so many calls would have left, and gives who may ask for them. */
export async function fillRollups(db: pg.Pool, size: RollupSize): Promise<Asker[]> {
  const organizations = Array.from({ length: size.organizations }, () => randomUUID())
  const users = organizations.flatMap(() => Array.from({ length: size.users }, () => randomUUID()))
  await addPeople(db, organizations, users, size.users)
  const values = [organizations, users, size.days, size.calls, size.users]
  // Each on a connection of its own, so that all cores have something to do.
  await Promise.all(Object.entries(FILLS).map(([table, fill]) => fillTable(db, table, fill, values)))
  await foldMonths(db, organizations, size.days)
  await db.query('checkpoint')
  return organizations.map((organizationId, n) => ({
    organizationId,
    adminId: users[n * size.users] ?? '',
    userId: users[n * size.users + 1] ?? '',
  }))
}

async function fillTable(db: pg.Pool, table: string, fill: string, values: unknown[]): Promise<void> {
  const rebuilds = await takeIndexes(db, table)
  await db.query(fill, values)
  for (const rebuild of rebuilds) await db.query(rebuild)
  await db.query(`vacuum (analyze) ${table}`)
}

/**
 * Folds months that are over, by the function with which the worker does it in the background: a month of all organizations
 * after the other, whose rows lie on the same pages, and each half of the organizations on a connection of its own.
 */
async function foldMonths(db: pg.Pool, organizations: readonly string[], days: number): Promise<void> {
  const half = Math.ceil(organizations.length / 2)
  await Promise.all(
    [organizations.slice(0, half), organizations.slice(half)].map((some) => db.query(FOLD, [some, days])),
  )
  await db.query('vacuum (analyze) tollgate.usage_by_month')
}

async function addPeople(db: pg.Pool, organizations: string[], users: string[], each: number): Promise<void> {
  await db.query(
    `insert into public.organizations (id, name, domain, plan_type) select id, 'Reports', 'reports-' || id, 'enterprise'
     from unnest($1::uuid[]) id`,
    [organizations],
  )
  const accounts = `insert into auth.users (id, email) select id, id || '@bench.example' from unnest($1::uuid[]) id`
  await db.query(accounts, [users])
  await db.query(
    `insert into public.profiles (id, organization_id, role, email)
     select u.id, o.id, case (u.n - 1) % $3::integer when 0 then 'admin' else 'user' end, u.id || '@bench.example'
     from unnest($1::uuid[]) with ordinality u (id, n)
     join unnest($2::uuid[]) with ordinality o (id, n) on (u.n - 1) / $3::integer = o.n - 1`,
    [users, organizations, each],
  )
}

/** Takes a table's indexes away, and gives the statements that make the same ones anew: millions of rows come sooner so. */
async function takeIndexes(db: pg.Pool, table: string): Promise<string[]> {
  const { rows } = await db.query<{ take: string; make: string }>(
    `select case when c.conname is null then format('drop index %s', i.indexrelid::regclass)
         else format('alter table %s drop constraint %I', i.indrelid::regclass, c.conname) end as take,
       case when c.conname is null then pg_get_indexdef(i.indexrelid)
         else format('alter table %s add constraint %I %s', i.indrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) end as make
     from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.contype = 'p'
     where i.indrelid = $1::text::regclass`,
    [table],
  )
  for (const { take } of rows) await db.query(take)
  return rows.map(({ make }) => make)
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
  // As autovacuum does soon after, but not while somebody is asked.
  await db.query('vacuum (analyze) tollgate.usage_events')
  await db.query('checkpoint')
}
