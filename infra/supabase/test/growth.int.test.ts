import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

// What one call reads must not grow with how many organizations, users and logins there are: a plan that looks at all of
// them is quick on a developer's machine and stands still at a customer's. Pages are counted, not milliseconds.
const FEW = 40
const MANY = 4_000
// For the levels of an index more, and pages that fill up.
const ALLOWANCE = 60

let database: TestDatabase
let admin: pg.Client

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await database.drop()
})

const ORGANIZATION = '(select md5($$o1$$)::uuid)'
const USER = '(select md5($$u1$$)::uuid)'
const EVENT = `jsonb_build_object('type', 'usage.recorded', 'organization_id', ${ORGANIZATION}, 'source', 'chat', 'id', gen_random_uuid(),
  'time', now(), 'received_at', now(), 'member', true, 'user_id', ${USER}, 'session_id', 's1', 'model', 'gpt-4o', 'input_tokens', 1,
  'output_tokens', 1, 'cache_read_input_tokens', 0, 'cache_creation_input_tokens', 0, 'reasoning_output_tokens', 0, 'message_count', 1)`
const LOGIN = `jsonb_build_object('session_id', gen_random_uuid(), 'user_id', ${USER}, 'kind', 'browser', 'issued_at', now(),
  'access_expires_at', now() + interval '1 day', 'ends_at', now() + interval '1 day')`
const HOLD = `jsonb_build_object('id', gen_random_uuid(), 'organization_id', ${ORGANIZATION}, 'user_id', ${USER}, 'session_id', 's1',
  'total_tokens', 10, 'ttl_seconds', 60)`

const OF_ORGANIZATION = `jsonb_build_object('organization_id', ${ORGANIZATION})`
const DAYS = `jsonb_build_object('start', current_date - 30, 'end', current_date + 1)`

const CALLS = {
  start_logins: `public.start_logins(jsonb_build_object('logins', jsonb_build_array(${LOGIN})))`,
  continue_login: `public.continue_login(jsonb_build_object('session_id', md5('l1')::uuid, 'access_expires_at', now() + interval '1 day'))`,
  find_sign_in: `public.find_sign_in(gen_random_uuid(), ${USER})`,
  find_members: `public.find_members(jsonb_build_object('users', jsonb_build_array(${USER})))`,
  find_proxy_session: `public.find_proxy_session(repeat('0', 64))`,
  find_service_key: `public.find_service_key(repeat('0', 64))`,
  find_enforcement: `public.find_enforcement(${ORGANIZATION})`,
  find_user_enforcement: `public.find_user_enforcement(${ORGANIZATION}, ${USER})`,
  list_logins: `public.list_logins(jsonb_build_object('user_id', ${USER}))`,
  list_decisions: `public.list_decisions(jsonb_build_object('organization_id', ${ORGANIZATION}, 'limit', 10))`,
  list_grants: `public.list_grants(${ORGANIZATION})`,
  ingest_usage: `public.ingest_usage(jsonb_build_object('events', jsonb_build_array(${EVENT})))`,
  close_sessions: `public.close_sessions(1800, 100)`,
  reserve_tokens: `public.reserve_tokens(jsonb_build_object('requests', jsonb_build_array(${HOLD})))`,
  load_quota_position: `public.load_quota_position(${ORGANIZATION})`,
  load_user_positions: `public.load_user_positions(${ORGANIZATION})`,
  list_positions: `public.list_positions(jsonb_build_object('organizations', jsonb_build_array(${ORGANIZATION})))`,
  load_user_quota: `public.load_user_quota(${ORGANIZATION}, ${USER})`,
  report_quota: `public.report_quota(${OF_ORGANIZATION})`,
  report_summary: `public.report_summary(${OF_ORGANIZATION} || ${DAYS})`,
  report_usage: `public.report_usage(${OF_ORGANIZATION} || ${DAYS} || '{"bucket": "day", "group_by": ["model"]}')`,
  report_sessions: `public.report_sessions(${OF_ORGANIZATION} || ${DAYS})`,
  report_decisions: `public.report_decisions(${OF_ORGANIZATION})`,
  report_user_limits: `public.report_user_limits(${OF_ORGANIZATION})`,
} as const

/** Reports that say something of anybody who may read the organization: an empty answer has read nothing. */
const ANSWERED: readonly string[] = ['report_quota', 'report_summary', 'report_user_limits']
// Whoever closes sessions looks at all that are open.
const names = (Object.keys(CALLS) as (keyof typeof CALLS)[]).filter((name) => name !== 'close_sessions')

test('a call reads no more with a hundred times the organizations, users, logins and chat sessions', async () => {
  await populate(1, FEW)
  const before = await countPages()
  await populate(FEW + 1, MANY)
  const after = await countPages()
  const grown = names.filter((_, index) => (after[index] ?? 0) > (before[index] ?? 0) + ALLOWANCE)
  expect(grown.map((name) => `${name}: ${before[names.indexOf(name)]} → ${after[names.indexOf(name)]} pages`)).toEqual(
    [],
  )
}, 60_000)

test('under row level security a page of sessions and the tiles read an index, however many sessions the organization has', async () => {
  const asked = ['report_sessions', 'report_summary'] as const
  // The organization's admin, and a member with few sessions of the own.
  await admin.query(
    `update public.profiles set organization_id = md5('o1')::uuid, role = 'user' where id = md5('u2')::uuid`,
  )
  const count = async () => [
    ...(await countPages(asked, 'authenticated')),
    ...(await countPages(asked, 'authenticated', 'u2')),
  ]
  const before = await count()
  const add = `insert into public.chat_sessions (organization_id, user_id, librechat_session_id, started_at, last_activity_at)
    select md5('o1')::uuid, md5('u1')::uuid, 'more' || i, now() - i * interval '9 minutes', now() from generate_series(1, $1::int) i`
  await admin.query(add, [MANY])
  await admin.query('vacuum public.chat_sessions')
  const grown = (await count()).map((pages, index) => pages - (before[index] ?? 0))
  expect(grown.filter((more) => more > ALLOWANCE)).toEqual([])
}, 60_000)

test('recording and closing sessions read no more after a year of decisions on an organization and its users', async () => {
  const asked = ['ingest_usage', 'close_sessions'] as const
  const before = await countPages(asked)
  // Every month it is let in again and revoked, and so are a hundred of its users, who are just now revoked once more.
  await admin.query(`insert into tollgate.quota_decisions (organization_id, user_id, decided_at, from_state, to_state, version, reason, actor, inputs)
    select md5('o1')::uuid, case when u > 0 then md5('u' || u)::uuid end, now() - m * interval '1 month' - i * interval '1 day',
      'x', (array['revoked', 'active'])[i + 1], 1, 'test', 'test', '{}'
    from generate_series(0, 12) m cross join generate_series(0, 1) i cross join generate_series(0, 100) u where m > 0 or u > 0`)
  const after = await countPages(asked)
  const grown = asked.map((name, index) => [name, (after[index] ?? 0) - (before[index] ?? 0)] as const)
  expect(grown.filter(([, more]) => more > ALLOWANCE)).toEqual([])
}, 60_000)

test('holding reads no more beside thousands of open holds, also as it was planned when there were few', async () => {
  const [before = 0] = await countPages(['reserve_tokens'])
  await admin.query(
    `insert into tollgate.reservations (id, organization_id, user_id, session_id, total_tokens, expires_at)
     select gen_random_uuid(), md5('o1')::uuid, md5('u' || i)::uuid, 's', 1, now() + interval '1 hour' from generate_series(1, $1::int) i`,
    [MANY],
  )
  await admin.query('begin')
  const { rows } = await admin.query(`explain (analyze, buffers, format json) select * from ${CALLS.reserve_tokens}`)
  await admin.query('rollback')
  const { Plan: plan } = rows[0]['QUERY PLAN'][0]
  expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks'] - before).toBeLessThanOrEqual(ALLOWANCE)
}, 60_000)

/** Pages that each call touches, as a connection does that has made it before; nothing of it stays. */
async function countPages(
  asked: readonly (keyof typeof CALLS)[] = names,
  role = 'postgres',
  user = 'u1',
): Promise<number[]> {
  await admin.query('analyze')
  await admin.query('discard plans')
  const pages: number[] = []
  for (const name of asked) {
    await admin.query('begin')
    // As the organization's admin unless said otherwise: without anybody a report ends before it has read anything.
    await admin.query(
      `select set_config('request.jwt.claims', jsonb_build_object('sub', id, 'role', 'authenticated')::text, true),
         set_config('request.jwt.claim.sub', id::text, true) from (select md5($1)::uuid as id) u`,
      [user],
    )
    await admin.query(`set local role ${role}`)
    const first = await admin.query(`select * from ${CALLS[name]}`)
    if (ANSWERED.includes(name)) expect(first.rows, name).not.toEqual([])
    const { rows } = await admin.query(`explain (analyze, buffers, format json) select * from ${CALLS[name]}`)
    await admin.query('rollback')
    const { Plan: plan } = rows[0]['QUERY PLAN'][0]
    pages.push(Number(plan['Shared Hit Blocks']) + Number(plan['Shared Read Blocks']))
  }
  return pages
}

/** An organization, a user, a login and a chat session each. */
async function populate(from: number, to: number): Promise<void> {
  const statements = [
    `insert into public.organizations (id, name, domain, plan_type)
      select md5('o' || i)::uuid, 'Organization ' || i, 'o' || i || '.example', 'free' from generate_series($1::int, $2::int) i`,
    `insert into auth.users (id, email) select md5('u' || i)::uuid, 'u' || i || '@o.example' from generate_series($1::int, $2::int) i`,
    `insert into public.profiles (id, email, organization_id, full_name, role)
      select md5('u' || i)::uuid, 'u' || i || '@o.example', md5('o' || i)::uuid, 'U', 'admin' from generate_series($1::int, $2::int) i`,
    `insert into tollgate.login_sessions (id, organization_id, user_id, started_at, expires_at, access_expires_at, ends_at)
      select md5('l' || i)::uuid, md5('o' || i)::uuid, md5('u' || i)::uuid, now(), now() + interval '1 day',
        now() + interval '1 day', now() + interval '1 day' from generate_series($1::int, $2::int) i`,
    `insert into public.chat_sessions (organization_id, user_id, librechat_session_id, started_at, last_activity_at)
      select md5('o' || i)::uuid, md5('u' || i)::uuid, 's' || i, now(), now() from generate_series($1::int, $2::int) i`,
    `insert into tollgate.period_totals (organization_id, period_start)
      select md5('o' || i)::uuid, date_trunc('month', now()) from generate_series($1::int, $2::int) i`,
    `insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
      select md5('o' || i)::uuid, 'active', 1, now(), now() + interval '1 month', '' from generate_series($1::int, $2::int) i`,
  ]
  for (const statement of statements) await admin.query(statement, [from, to])
}
