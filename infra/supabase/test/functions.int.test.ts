import { randomUUID } from 'node:crypto'
import {
  createTestDatabase,
  startTestSupabase,
  type TestDatabase,
  type TestSupabase,
} from '@tollgate/local-stack/testing'
import { createPgRpc, createSupabaseRpc, type Rpc, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { batchOf, eventOf } from './usage-fixture.ts'

// The services' functions, called as the services call them, over both transports.
type Service = 'token-api' | 'usage-worker' | 'quota-enforcer'
type Transport = 'pg' | 'supabase-js'

const now = Date.now()
let database: TestDatabase
let supabase: TestSupabase
let admin: pg.Client
const stores: Record<string, RpcStore> = {}

beforeAll(async () => {
  database = await createTestDatabase()
  supabase = await startTestSupabase(database.databaseUrl)
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  const use = { max: 2, applicationName: 'test', statementTimeoutMs: 5_000, onError: () => undefined }
  for (const service of ['token-api', 'usage-worker', 'quota-enforcer'] as const) {
    stores[`pg ${service}`] = createPgRpc({ connectionString: database.urls[service], ...use })
  }
  stores['supabase-js'] = createSupabaseRpc({ ...supabase, timeoutMs: 5_000 })
})
afterAll(async () => {
  await Promise.allSettled(Object.values(stores).map((store) => store.close()))
  await admin?.end()
  await supabase?.stop()
  await database?.drop()
})

describe.each<Transport>(['pg', 'supabase-js'])('SQL functions over %s', (transport) => {
  const as = (service: Service): Rpc => {
    const store = stores[transport === 'pg' ? `pg ${service}` : transport]
    if (!store) throw new Error('no store')
    return store.rpc
  }
  let organization: string
  let user: string

  beforeEach(async () => {
    organization = randomUUID()
    user = randomUUID()
    await admin.query('insert into auth.users (id, email) values ($1, $2)', [user, `${user}@example.com`])
    await admin.query(
      `insert into public.organizations (id, name, domain, plan_type, librechat_config)
       values ($1, 'Org', $2, 'starter', '{"max_tokens": 1000}')`,
      [organization, organization],
    )
    await admin.query(
      `insert into public.profiles (id, organization_id, role, email) values ($1, $2, 'admin', 'a@example.com')`,
      [user, organization],
    )
  })

  const usage = (key: number, change: object = {}) => ({
    ...eventOf(key, now),
    organization_id: organization,
    user_id: user,
    time: new Date(now).toISOString(),
    model: 'gpt-4o',
    ...change,
  })
  const position = async () =>
    (await as('quota-enforcer')('load_quota_position', { for_organization: organization }))[0]

  it('find who somebody is, and what the token says', async () => {
    expect(await as('token-api')('find_members', { users: { ids: [user, randomUUID()] } })).toEqual([
      { user_id: user, organization_id: organization, role: 'admin' },
    ])
    const [login] = await as('token-api')('find_login', { for_user: user })
    expect(login).toMatchObject({ organization_id: organization, limit_tokens: '1000', state: 'active', version: '0' })
    expect(login?.librechat_config).toEqual({ max_tokens: 1000 })
    expect(await as('token-api')('find_login', { for_user: randomUUID() })).toEqual([])
  })

  it('record usage, and say what became of each event', async () => {
    const events = [usage(1), usage(1), usage(2, { member: false }), usage(3, { member: false, user_id: randomUUID() })]
    // As the worker sends them: rows, in JSON that has been written already.
    const [result] = await as('usage-worker')('ingest_usage', { batch: batchOf(events, 'rows') })
    expect(result?.outcomes.toSorted((a, b) => a.i - b.i)).toEqual([
      { i: 1, outcome: 'duplicate', conflict: false },
      { i: 3, outcome: 'rejected', reason: 'unknown_user' },
    ])
    const used = events.slice(1, 3).reduce((sum, event) => sum + event.input_tokens + event.output_tokens, 0)
    expect(result?.totals).toMatchObject([{ organization_id: organization, used_tokens: String(used), evaluate: true }])
    expect(await position()).toMatchObject({ used_tokens: String(used), limit_tokens: '1000' })
  })

  it('park events and drain them', async () => {
    // As the token API sends them: objects, in JSON that has been written already.
    const batch = batchOf([usage(1), usage(2)], 'objects')
    expect(await as('token-api')('park_events', { batch })).toEqual([{ parked: 2 }])
    const [drained] = await as('usage-worker')('drain_inbox', { max_rows: 10 })
    expect(drained).toMatchObject({ drained: 1, recorded: 2, unpriced: 0, rejected: [] })
  })

  it('set a limit, lower for an admin of the organization, any for an operator', async () => {
    const set = async (limit: number | null, only_lower: boolean) => {
      const change = { organization_id: organization, limit, actor: 'test', only_lower }
      return (await as('token-api')('set_quota', { change }))[0]?.changed
    }
    expect([await set(2_000, true), await set(null, true), await set(500, true), await set(501, true)]).toEqual([
      false,
      false,
      true,
      false,
    ])
    expect(await set(null, false)).toBe(true)
    expect((await position())?.limit_tokens).toBeNull()
    const trail = await as('token-api')('list_audit', { query: { organization_id: organization, max_rows: 10 } })
    const change = (limit: number | null, previous_limit: number) => ({
      actor: 'test',
      action: 'quota.changed',
      details: { limit, previous_limit, policy: null },
    })
    expect(trail).toMatchObject([change(null, 500), change(500, 1_000)])
    const unknown = { organization_id: randomUUID(), limit: 1, actor: 'test', only_lower: false }
    expect(await as('token-api')('set_quota', { change: unknown })).toEqual([])
  })

  it('set a ladder without a limit: that of the config holds on, and whose version is old changes nothing', async () => {
    const policy = { steps: [], downgrade_to: {} }
    const set = (policy_version: number) =>
      as('token-api')('set_quota', {
        change: { organization_id: organization, policy, policy_version, actor: 'test', only_lower: false },
      })
    expect(await set(0)).toEqual([{ changed: true, refusal: null, limit_tokens: '1000', version: '1' }])
    expect(await set(0)).toEqual([{ changed: false, refusal: 'policy_version', limit_tokens: '1000', version: '1' }])
    expect(await position()).toMatchObject({ limit_tokens: '1000', policy, policy_version: '1' })
  })

  it('put a decision into force once, and only from the state it was made from', async () => {
    const before = await position()
    if (!before) throw new Error('no position')
    const decision = {
      organization_id: organization,
      expected_revision: before.revision,
      state: 'downgraded' as const,
      reason: 'max_tokens_100_percent',
      actor: 'test',
      period_start: before.period_start,
      period_end: before.period_end,
      reduced_config: { features: { file_upload: false } },
      inputs_key: before.inputs_key,
      evaluate_at: '1200',
      inputs: { used_tokens: '1000' },
    }
    const apply = async (change: object = {}) =>
      (await as('quota-enforcer')('apply_enforcement', { decision: { ...decision, ...change } }))[0]
    const first = await apply()
    expect(first).toMatchObject({ applied: true, changed: true, again: false, state: 'downgraded', version: '1' })
    expect(await apply()).toMatchObject({ applied: false, changed: false, again: true, version: '1' })
    const next = await apply({ expected_revision: first?.revision, state: 'revoked', reason: 'max_tokens_120_percent' })
    expect(next).toMatchObject({ applied: true, changed: true, state: 'revoked', version: '2' })
    const published = await as('token-api')('list_enforcement', {})
    expect(published.find((row) => row.organization_id === organization)).toMatchObject({
      state: 'revoked',
      version: '2',
      revision: next?.revision,
      reduced_config: { features: { file_upload: false } },
    })
    const { rows } = await admin.query(
      'select from_state, to_state from tollgate.quota_decisions where organization_id = $1 order by version',
      [organization],
    )
    expect(rows).toEqual([
      { from_state: 'active', to_state: 'downgraded' },
      { from_state: 'downgraded', to_state: 'revoked' },
    ])
  })

  it('find whom nobody announced: past evaluate_at, a changed limit, an ended period', async () => {
    const due = async () => {
      const rows = await as('quota-enforcer')('list_due_evaluations', { max_rows: 1_000 })
      return rows.find((row) => row.organization_id === organization)?.reason
    }
    expect(await due()).toBeUndefined()
    await as('usage-worker')('ingest_usage', { batch: { events: [usage(1)] } })
    expect(await due()).toBe('sweep')
    const state = `insert into tollgate.enforcement_states (organization_id, state, period_start, period_end, inputs_key)
      select organization_id, 'active', now(), now() + interval '1 day', inputs_key from tollgate.quota_inputs where organization_id = $1`
    await admin.query(state, [organization])
    await admin.query('update tollgate.period_totals set evaluate_at = null where organization_id = $1', [organization])
    expect(await due()).toBeUndefined()
    await admin.query(`update tollgate.enforcement_states set period_end = now() where organization_id = $1`, [
      organization,
    ])
    expect(await due()).toBe('period')
    await admin.query(
      `update tollgate.enforcement_states set period_end = now() + interval '1 day', inputs_key = 'other'
      where organization_id = $1`,
      [organization],
    )
    expect(await due()).toBe('limit_changed')
  })

  describe('tell the tries of a request apart', () => {
    let key: string
    beforeEach(() => {
      key = randomUUID()
    })
    const begin = async () => {
      const times = { lease_seconds: 30, keep_seconds: 60 }
      const request = { caller: 'c', key, fingerprint: 'f', seed: 's', ...times }
      return (await as('token-api')('begin_idempotent', { request }))[0]
    }
    const finish = async (attempt: number, changes: object) => {
      const nothing = { status: null, answer: null, nothing_done: false }
      const result = { caller: 'c', key, attempt, ...nothing, ...changes }
      return (await as('token-api')('finish_idempotent', { result }))[0]?.kept
    }
    const loseLease = () =>
      admin.query('update tollgate.idempotent_requests set leased_until = now() where key = $1', [key])

    it.each([{ nothing_done: true }, { nothing_done: false }, { status: 201, answer: 'a' }])(
      'one that lost its lease changes nothing of the next: %j',
      async (end) => {
        expect(await begin()).toMatchObject({ outcome: 'begun', attempt: 1 })
        await loseLease()
        expect(await begin()).toMatchObject({ outcome: 'begun', attempt: 2, seed: 's' })
        expect(await finish(1, end)).toBe(false)
        expect(await begin()).toMatchObject({ outcome: 'running' })
        expect(await finish(2, { status: 201, answer: 'b' })).toBe(true)
        expect(await begin()).toMatchObject({ outcome: 'answered', answer: 'b' })
      },
    )

    it('the first is forgotten when it did nothing, a later one is not, since one before it may have acted', async () => {
      await begin()
      await finish(1, { nothing_done: true })
      expect(await begin()).toMatchObject({ outcome: 'begun', attempt: 1 })
      await finish(1, {})
      expect(await begin()).toMatchObject({ outcome: 'begun', attempt: 2 })
      await finish(2, { nothing_done: true })
      expect(await begin()).toMatchObject({ outcome: 'begun', attempt: 3 })
    })
  })

  it('keep dead letters and create partitions', async () => {
    const letter = { queue: 'usage-events', reason: 'not_recordable', detail: 'x', payload: '{"odd":"\\u0000"}' }
    expect(await as('usage-worker')('record_dead_letters', { batch: { letters: [letter] } })).toEqual([{ kept: 1 }])
    expect(await as('usage-worker')('ensure_usage_partitions', {})).toEqual([{ created: 0, moved: '0' }])
  })

  it('find a server key by its hash alone, while it is not revoked', async () => {
    const hash = randomUUID().replaceAll('-', '').repeat(2)
    await admin.query(
      `insert into tollgate.service_keys (name, key_prefix, key_hash, scopes, organization_id)
       values ('k', 'tg_x', decode($1, 'hex'), '{events:write}', $2)`,
      [hash, organization],
    )
    const find = () => as('token-api')('find_service_key', { key_sha256: hash })
    expect(await find()).toMatchObject([{ scopes: ['events:write'], organization_id: organization }])
    await admin.query(`update tollgate.service_keys set revoked_at = now() where key_hash = decode($1, 'hex')`, [hash])
    expect(await find()).toEqual([])
  })
})
