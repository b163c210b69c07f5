import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { createPgRpc, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const organization = randomUUID()
let database: TestDatabase
let admin: pg.Client
let store: RpcStore

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  const use = { max: 1, applicationName: 'test', statementTimeoutMs: 5_000, onError: () => undefined }
  store = createPgRpc({ connectionString: database.urls['token-api'], ...use })
  await record('user:ada', 'quota.changed', `organization:${organization}`, { limit: 7 })
  await record('operator', 'key.created', 'key:1')
})
afterAll(async () => {
  await store?.close()
  await admin?.end()
  await database?.drop()
})

async function record(actor: string, action: string, target: string, details: object = {}): Promise<string> {
  const client = new pg.Client(database.urls['quota-enforcer'])
  await client.connect()
  try {
    const values = [actor, action, target, JSON.stringify(details)]
    return (await client.query('select tollgate.record_audit($1, $2, $3, $4) as id', values)).rows[0].id
  } finally {
    await client.end()
  }
}

describe('the audit trail', () => {
  it('says who did what to whom, newest first, and to whose admin it may be shown', async () => {
    expect(await store.rpc('list_audit', { query: { max_rows: 10 } })).toMatchObject([
      { actor: 'operator', action: 'key.created', target: 'key:1', organization_id: null, details: {} },
      { actor: 'user:ada', action: 'quota.changed', organization_id: organization, details: { limit: 7 } },
    ])
  })

  it('is read by organization, act, actor and target, and page by page', async () => {
    const actions = async (query: object) =>
      (await store.rpc('list_audit', { query: { max_rows: 10, ...query } })).map(({ action }) => action)
    expect(await actions({ organization_id: organization })).toEqual(['quota.changed'])
    expect(await actions({ actor: 'operator' })).toEqual(['key.created'])
    expect(await actions({ action: 'quota.changed', target: 'key:1' })).toEqual([])
    const [newest] = await store.rpc('list_audit', { query: { max_rows: 1 } })
    expect(await actions({ before: newest?.id })).toEqual(['quota.changed'])
  })

  it('is never edited, not even by the owner of the table', async () => {
    for (const change of ["update tollgate.audit_log set actor = 'x'", 'delete from tollgate.audit_log']) {
      await expect(admin.query(change)).rejects.toMatchObject({ code: '42501' })
    }
    await expect(admin.query('truncate tollgate.audit_log')).rejects.toMatchObject({ code: '42501' })
  })

  it('takes no entry without an actor, a target and a proper name of the act', async () => {
    await expect(record('', 'quota.changed', 'key:1')).rejects.toMatchObject({ code: '23514' })
    await expect(record('operator', 'quota.changed', '')).rejects.toMatchObject({ code: '23514' })
    await expect(record('operator', 'Changed the quota', 'key:1')).rejects.toMatchObject({ code: '23514' })
  })

  it('cannot be read or written by a tenant', async () => {
    const { rows } = await admin.query(
      `select r.role from unnest(array['anon', 'authenticated']) r (role)
       where has_table_privilege(r.role, 'tollgate.audit_log', 'select, insert, update, delete')
          or has_function_privilege(r.role, 'public.list_audit(jsonb)', 'execute')
          or has_function_privilege(r.role, 'tollgate.record_audit(text, text, text, jsonb, uuid)', 'execute')`,
    )
    expect(rows).toEqual([])
  })
})
