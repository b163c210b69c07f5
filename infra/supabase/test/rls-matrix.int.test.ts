import type { SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { A, openReports, type ReportsFixture, SPAN } from './reports-fixture.ts'
import {
  ASKERS,
  type Asker,
  PUBLIC_TABLES,
  REPORTS,
  SERVICE_FUNCTIONS,
  SERVICE_WRITES,
  TOLLGATE_TABLES,
} from './rls-matrix.ts'

// Every table and function × everybody who could ask, through supabase-js.
let fixture: ReportsFixture
beforeAll(async () => {
  fixture = await openReports()
  const { sql } = fixture
  await sql.query(
    `insert into tollgate.quota_decisions (organization_id, from_state, to_state, version, reason, actor, inputs)
     values ($1, 'active', 'warned', 1, 'test', 'test', '{}')`,
    [A],
  )
  await sql.query(
    `select from public.create_grant(jsonb_build_object('organization_id', $1::uuid, 'amount', 5, 'reason', 'test',
       'idempotency_key', 'matrix', 'actor', 'test'))`,
    [A],
  )
  await sql.query(
    `with endpoint as (
       insert into tollgate.webhook_endpoints (id, organization_id, url, types, sealed_secret, created_by)
       values (gen_random_uuid(), $1, 'https://example.com/', '{}', 'v1.x', 'test') returning id)
     insert into tollgate.webhook_deliveries (endpoint_id, notification_key, organization_id, type, payload)
     select id, 'k', $1, 't', '{}' from endpoint`,
    [A],
  )
})
afterAll(() => fixture.close())

const clientOf = (asker: Asker): SupabaseClient => (asker === 'anon' ? fixture.anon : fixture.clients[asker])
const isView = async (name: string) =>
  (await fixture.sql.query(`select relkind = 'v' as is from pg_class where oid = to_regclass($1)`, [name])).rows[0].is

/** How many rows of a table a reach means, as the owner counts them. */
async function expectedRows(table: string, reach: string, asker: Asker): Promise<number> {
  const id = asker === 'anon' ? null : fixture.ids[asker]
  const [key, organization] =
    table === 'public.profiles'
      ? ['id', 'organization_id']
      : ['user_id', table === 'public.organizations' ? 'id' : 'organization_id']
  const where: Record<string, string> = {
    refused: 'false',
    none: 'false',
    own: `${key} = $1`,
    organization: `${organization} = (select p.organization_id from public.profiles p where p.id = $1)`,
    all: 'true or $1::uuid is null',
  }
  const { rows } = await fixture.sql.query(
    `select count(*)::int as n from ${table} where ($1::uuid is null or true) and (${where[reach]})`,
    [id],
  )
  return rows[0].n
}

it('has a row for each table, view and function there is, and for no other', async () => {
  const names = async (query: string) => (await fixture.sql.query<{ name: string }>(query)).rows.map(({ name }) => name)
  const relations = (schema: string) =>
    names(`select c.relname::text as name from pg_class c where c.relnamespace = '${schema}'::regnamespace
      and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by 1`)
  expect(await relations('public')).toEqual(Object.keys(PUBLIC_TABLES).sort())
  expect(await relations('tollgate')).toEqual(Object.keys(TOLLGATE_TABLES).sort())
  const functions = await names(`select distinct p.proname::text as name from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by 1`)
  expect(functions).toEqual([...Object.keys(REPORTS), ...SERVICE_FUNCTIONS].sort())
})

describe.each(Object.entries(PUBLIC_TABLES))('public.%s', (table, { read, ownColumns = [] }) => {
  it.each(ASKERS)('shows %s what the matrix says', async (asker) => {
    const { data, error } = await clientOf(asker).from(table).select('*')
    if (read[asker] === 'refused')
      return expect(error?.code ?? data).toSatisfy((got) => got === '42501' || got?.length === 0)
    expect(error).toBeNull()
    expect(data).toHaveLength(await expectedRows(`public.${table}`, read[asker], asker))
  })

  it('shows the secret key everything', async () => {
    const { data, error } = await fixture.service.from(table).select('*')
    expect(error).toBeNull()
    expect(data).toHaveLength(await expectedRows(`public.${table}`, 'all', 'anon'))
    expect(data?.length).toBeGreaterThan(0)
  })

  it.each(ASKERS)('lets %s write nothing else', async (asker) => {
    if (await isView(`public.${table}`)) return
    const state = `select md5(string_agg(t::text, ',' order by t::text)) as state from public.${table} t`
    const before = await fixture.sql.query(state)
    const { rows } = await fixture.sql.query(
      `select to_jsonb(t) - array(select attname::text from pg_attribute where attrelid = $1::regclass and attgenerated <> '') as row
       from public.${table} t limit 1`,
      [`public.${table}`],
    )
    const { row } = rows[0]
    const client = clientOf(asker)
    const column = Object.keys(row).find((name) => !ownColumns.includes(name) && name !== 'id') ?? ''
    const writes = await Promise.all([
      client.from(table).insert(row),
      client.from(table).upsert(row),
      client
        .from(table)
        .update({ [column]: row[column] })
        .not(column, 'is', null),
      client.from(table).delete().not(column, 'is', null),
    ])
    for (const { error } of writes) expect(error?.code).toBe('42501')
    expect((await fixture.sql.query(state)).rows).toEqual(before.rows)
  })
})

describe.each(Object.entries(TOLLGATE_TABLES))('tollgate.%s', (table, read) => {
  it('is out of reach of supabase-js, with whatever key', async () => {
    for (const client of [...ASKERS.map(clientOf), fixture.service]) {
      const { data, error } = await client.schema('tollgate').from(table).select('*').limit(1)
      expect(error ?? data).toHaveProperty('code')
    }
  })

  it.each(ASKERS)('shows %s in Postgres what the matrix says, and takes nothing from there', async (asker) => {
    const role = asker === 'anon' ? 'anon' : 'authenticated'
    const { rows } = await fixture.sql.query(
      `select has_table_privilege($1, $2, 'select') as reads, has_table_privilege($1, $2, 'insert, update, delete, truncate') as writes`,
      [role, `tollgate.${table}`],
    )
    expect(rows).toEqual([{ reads: role === 'authenticated' && read.user !== 'refused', writes: false }])
    if (read[asker] === 'refused') return
    const expected = await expectedRows(`tollgate.${table}`, read[asker], asker)
    await fixture.sql.query('begin')
    try {
      const claims = JSON.stringify({ sub: asker === 'anon' ? '' : fixture.ids[asker], role })
      await fixture.sql.query(
        `select set_config('request.jwt.claims', $1, true), set_config('request.jwt.claim.sub', $2, true),
          set_config('role', $3, true)`,
        [claims, asker === 'anon' ? '' : fixture.ids[asker], role],
      )
      const shown = await fixture.sql.query(`select count(*)::int as n from tollgate.${table}`)
      expect(shown.rows).toEqual([{ n: expected }])
    } finally {
      await fixture.sql.query('rollback')
    }
  })
})

it.each(Object.entries(SERVICE_WRITES))('%s may write its own columns and no other', async (name, writes) => {
  const [table, service] = name.split(' ')
  const { rows } = await fixture.sql.query(
    `select v.verb, has_table_privilege($2, a.attrelid, v.verb) as whole,
       array_agg(a.attname::text order by a.attname) filter (where has_column_privilege($2, a.attrelid, a.attnum, v.verb)) as columns
     from pg_attribute a cross join unnest(array['INSERT', 'UPDATE']) v (verb)
     where a.attrelid = ('tollgate.' || $1)::regclass and a.attnum > 0 and not a.attisdropped
     group by v.verb, a.attrelid`,
    [table, service],
  )
  const found = rows.flatMap(({ verb, whole, columns }) => (columns === null ? [] : [[verb, whole ? ['*'] : columns]]))
  const expected = Object.entries(writes).map(([verb, columns]) => [verb, [...columns].sort()])
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected))
  const rest = await fixture.sql.query(`select has_table_privilege($1, 'tollgate.' || $2, 'DELETE, TRUNCATE') as may`, [
    service,
    table,
  ])
  expect(rest.rows).toEqual([{ may: false }])
})

describe.each(Object.entries(REPORTS))('public.%s', (name, told) => {
  const query = { organization_id: A, ...SPAN, bucket: 'total', group_by: [] }
  it.each(ASKERS)('tells %s of another organization no more than the matrix says', async (asker) => {
    const { data, error } = await clientOf(asker).rpc(name, name === 'report_me' ? {} : { query })
    if (told[asker] === 'refused') return expect(error?.code).toBe('42501')
    expect(error).toBeNull()
    const rows = (data ?? []) as Record<string, unknown>[]
    const telling = rows.filter((row) => !('tokens_used' in row) || Number(row.tokens_used) > 0)
    expect(telling.length > 0 ? 'something' : 'nothing').toBe(told[asker])
  })
})

describe('functions of the services', () => {
  /** Every parameter, as null: what is refused is refused whatever is asked. */
  async function nullsOf(name: string): Promise<Record<string, null>> {
    const { rows } = await fixture.sql.query<{ names: string[] }>(
      `select array(select n from unnest(p.proargnames) with ordinality a (n, i)
         where i <= p.pronargs) as names
       from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname = $1`,
      [name],
    )
    return Object.fromEntries((rows[0]?.names ?? []).map((parameter) => [parameter, null]))
  }

  it.each(ASKERS)('are refused to %s, each', async (asker) => {
    const reached: string[] = []
    for (const name of SERVICE_FUNCTIONS) {
      const { error } = await clientOf(asker).rpc(name, await nullsOf(name))
      if (error?.code !== '42501') reached.push(`${name}: ${error?.code ?? 'answered'}`)
    }
    expect(reached).toEqual([])
  })

  // Last: they act.
  it('are there for the secret key, each', async () => {
    const missing: string[] = []
    for (const name of SERVICE_FUNCTIONS) {
      const { error } = await fixture.service.rpc(name, await nullsOf(name))
      if (['42501', '42883', 'PGRST202'].includes(error?.code ?? '')) missing.push(`${name}: ${error?.code}`)
    }
    expect(missing).toEqual([])
  })
})
