import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { createPgRpc, type RpcRow, type RpcStore } from '@tollgate/shared/store'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

const USER = '00000000-0000-4000-8000-0000000000a1'

let database: TestDatabase
let db: pg.Pool
let api: RpcStore
let worker: RpcStore
let enforcer: RpcStore
beforeAll(async () => {
  database = await createTestDatabase()
  db = new pg.Pool({ connectionString: database.databaseUrl, max: 2 })
  const use = {
    max: 8,
    applicationName: 'test',
    statementTimeoutMs: 20_000,
    connectTimeoutMs: 60_000,
    onError: () => undefined,
  }
  api = createPgRpc({ connectionString: database.urls['token-api'], ...use })
  worker = createPgRpc({ connectionString: database.urls['usage-worker'], ...use })
  enforcer = createPgRpc({ connectionString: database.urls['quota-enforcer'], ...use })
})
afterAll(async () => {
  await Promise.allSettled([api.close(), worker.close(), enforcer.close(), db.end()])
  await database.drop()
})

let organization: string
beforeEach(async () => {
  organization = await addOrganization(1_000)
})

async function addOrganization(limit: number | null): Promise<string> {
  const id = randomUUID()
  await db.query(
    `insert into public.organizations (id, name, domain, plan_type, librechat_config) values ($1, 'Org', $2, 'starter', $3)`,
    [id, id, { max_tokens: limit }],
  )
  return id
}

const request = (total: number, change: object = {}) => ({
  id: randomUUID(),
  organization_id: organization,
  user_id: USER,
  session_id: 'chat-1',
  total_tokens: total,
  ttl_seconds: 60,
  ...change,
})
const reserve = async (...requests: ReturnType<typeof request>[]) =>
  (await api.rpc('reserve_tokens', { batch: { requests } })).sort((one, other) => one.i - other.i)
const usage = (total: number, change: object = {}) => ({
  type: 'usage.recorded',
  organization_id: organization,
  user_id: USER,
  session_id: 'chat-1',
  source: 'test',
  id: randomUUID(),
  time: new Date().toISOString(),
  received_at: new Date().toISOString(),
  member: true,
  model: 'gpt-4o',
  input_tokens: total,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
  reasoning_output_tokens: 0,
  message_count: 1,
  ...change,
})
const commit = (reservationId: string, event: object, strict = true) =>
  api.rpc('commit_reservations', {
    batch: { commits: [{ reservation_id: reservationId, strict, organization_id: null, event }] },
  })
const ingest = (...events: object[]) => worker.rpc('ingest_usage', { batch: { events } })
const drain = async () => (await worker.rpc('drain_inbox', { max_rows: 100 }))[0]
const release = (id: string, key: string | null = null) =>
  api.rpc('release_reservations', { batch: { releases: [{ id, organization_id: key }] } })
const runOut = (id: string, interval = '1 second') =>
  db.query(`update tollgate.reservations set expires_at = now() - $2::interval where id = $1`, [id, interval])
const position = async () => {
  const [row] = await api.rpc('list_positions', { query: { organizations: [organization] } })
  return [row?.used_tokens, row?.reserved_tokens]
}
const stateOf = async (id: string) =>
  (await db.query('select * from tollgate.reservations where id = $1', [id])).rows[0]

test('requests that fit are held in the order in which they came, others are refused with the reason', async () => {
  const rows = await reserve(request(600), request(500), request(400))
  expect(rows.map(({ outcome }) => outcome)).toEqual(['held', 'refused', 'held'])
  expect(rows.map((row) => row.remaining_tokens)).toEqual(['400', '400', '0'])
  const refusal = { scope: 'organization', limit_tokens: '1000', used_tokens: '0', reserved_tokens: '1000' }
  expect(rows[1]).toMatchObject({ refusal })
  const told = rows.map((row) => `${row.limit_tokens} ${row.reserved_tokens}`)
  expect(told).toEqual(['1000 1000', 'null null', 'null null'])
  expect(await position()).toEqual(['0', '1000'])
})

test('an unlimited organization holds anything, an unknown one nothing', async () => {
  const unlimited = await addOrganization(null)
  const [row, stranger] = await reserve(
    request(1_000_000, { organization_id: unlimited }),
    request(1, { organization_id: randomUUID() }),
  )
  expect(row).toMatchObject({ outcome: 'held', remaining_tokens: null, limit_tokens: null })
  expect(stranger).toMatchObject({ outcome: 'unknown_organization' })
})

test('the limit of a chat session applies beside that of its organization, and takes nothing where it refuses', async () => {
  await db.query(
    `insert into tollgate.quota_policies (organization_id, max_tokens, policy, updated_by) values ($1, 1000, $2, 'test')`,
    [organization, { steps: [], downgrade_to: {}, session_max_tokens: 300 }],
  )
  await ingest(usage(100))
  const rows = await reserve(request(150), request(100), request(50), request(700, { session_id: 'chat-2' }))
  expect(rows.map(({ outcome }) => outcome)).toEqual(['held', 'refused', 'held', 'refused'])
  expect(rows[1]).toMatchObject({
    refusal: { scope: 'session', limit_tokens: '300', used_tokens: '100', reserved_tokens: '0' },
  })
  expect((await reserve(request(1)))[0]).toMatchObject({
    outcome: 'refused',
    refusal: { scope: 'session', reserved_tokens: '200' },
  })
  expect((await reserve(request(300, { session_id: 'chat-2' })))[0]).toMatchObject({
    outcome: 'held',
    remaining_tokens: '0',
  })
  expect(await position()).toEqual(['100', '500'])
})

test('a repeated id or key holds once; another request under the same key is a conflict', async () => {
  const first = request(100, { idempotency_key: 'key-1' })
  const again = { ...first, id: randomUUID() }
  const rows = await reserve(first, again)
  expect(rows.map((row) => 'id' in row && row.id)).toEqual([first.id, first.id])
  expect((await reserve(first, again)).map((row) => 'id' in row && row.id)).toEqual([first.id, first.id])
  expect((await reserve({ ...again, total_tokens: 101 }))[0]?.outcome).toBe('conflict')
  expect(await position()).toEqual(['0', '100'])
  const refused = await reserve(...[1, 2].map(() => request(901, { idempotency_key: 'key-2' })))
  for (const row of refused) expect(row).toMatchObject({ outcome: 'refused', refusal: { scope: 'organization' } })
})

test('two hundred at once over several connections pass exactly as far as the limit', async () => {
  const rows = await Promise.all(Array.from({ length: 200 }, () => reserve(request(9))))
  expect(rows.flat().filter(({ outcome }) => outcome === 'held')).toHaveLength(111)
  expect(await position()).toEqual(['0', '999'])
})

test('a commit stops the lease, and the ledger settles the hold with its usage', async () => {
  const hold = request(500)
  await reserve(hold)
  const event = usage(300, { reservation_id: hold.id })
  expect(await commit(hold.id, event)).toEqual([{ i: 0, outcome: 'accepted', state: 'committing' }])
  await runOut(hold.id)
  expect(await position()).toEqual(['0', '500'])
  expect((await enforcer.rpc('expire_reservations', { max_rows: 10 }))[0]?.expired).toBe(0)
  expect(await drain()).toMatchObject({ recorded: 1, holds: { settled: 1, late: 0, excess_tokens: 0 } })
  expect(await position()).toEqual(['300', '0'])
  expect(await stateOf(hold.id)).toMatchObject({ state: 'settled', settled_tokens: '300', is_late: false })
})

test('fifty commits, deliveries and releases of one hold end it once', async () => {
  const hold = request(500)
  await reserve(hold, request(100))
  const event = usage(300, { reservation_id: hold.id })
  const outcomes = (await Promise.all(Array.from({ length: 50 }, () => commit(hold.id, event)))).flat()
  expect(outcomes.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1)
  expect(outcomes.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(49)
  await drain()
  await Promise.all(Array.from({ length: 50 }, () => ingest(event)))
  expect((await release(hold.id))[0]).toMatchObject({ outcome: 'closed', state: 'settled' })
  expect(await position()).toEqual(['300', '100'])
})

test('another event does not settle a hold that is taken, and is not lost where it counts', async () => {
  const hold = request(500)
  await reserve(hold)
  await commit(hold.id, usage(300, { reservation_id: hold.id }))
  const second = usage(50, { reservation_id: hold.id })
  expect((await commit(hold.id, second))[0]?.outcome).toBe('closed')
  expect((await commit(hold.id, second, false))[0]?.outcome).toBe('closed')
  expect(await drain()).toMatchObject({ recorded: 2 })
  expect(await position()).toEqual(['350', '0'])
})

test('what does not belong to the hold is refused, and a foreign key learns nothing', async () => {
  const hold = request(500)
  await reserve(hold)
  expect((await commit(hold.id, usage(1, { user_id: randomUUID() })))[0]?.outcome).toBe('mismatch')
  expect((await commit(hold.id, usage(1, { organization_id: randomUUID() })))[0]?.outcome).toBe('mismatch')
  expect((await commit(randomUUID(), usage(1)))[0]?.outcome).toBe('unknown')
  const commits = [{ reservation_id: hold.id, strict: true, organization_id: randomUUID(), event: usage(1) }]
  expect((await api.rpc('commit_reservations', { batch: { commits } }))[0]?.outcome).toBe('unknown')
  expect((await release(hold.id, randomUUID()))[0]).toMatchObject({
    outcome: 'unknown',
    state: null,
    organization_id: null,
  })
  expect(await drain()).toMatchObject({ drained: 0 })
  expect(await stateOf(hold.id)).toMatchObject({ state: 'held' })
})

test('a released hold comes back once', async () => {
  const hold = request(700)
  await reserve(hold)
  expect((await Promise.all(Array.from({ length: 20 }, () => release(hold.id)))).flat().map((r) => r.outcome)).toEqual(
    Array.from({ length: 20 }, () => 'released'),
  )
  expect(await position()).toEqual(['0', '0'])
  expect((await reserve(request(1_000)))[0]?.outcome).toBe('held')
})

test('a hold whose lease has run out no longer counts, comes back once, and late usage still counts', async () => {
  const hold = request(900)
  await reserve(hold)
  await runOut(hold.id)
  expect(await position()).toEqual(['0', '0'])
  const rounds = await Promise.all([
    reserve(request(900)),
    ...Array.from({ length: 5 }, () => enforcer.rpc('expire_reservations', { max_rows: 10 })),
  ])
  expect(rounds[0]).toMatchObject([{ outcome: 'held' }])
  expect(await position()).toEqual(['0', '900'])
  // One that a clock which was set back has left behind what requests look at is found by the sweep.
  const [left, next] = [request(10), request(10)]
  await reserve(left)
  await runOut(left.id, '1 hour')
  await reserve(next)
  expect(await stateOf(left.id)).toMatchObject({ state: 'held' })
  await enforcer.rpc('expire_reservations', { max_rows: 10 })
  expect(await stateOf(left.id)).toMatchObject({ state: 'expired' })
  expect(await position()).toEqual(['0', '910'])
  expect((await commit(hold.id, usage(950, { reservation_id: hold.id })))[0]).toMatchObject({ outcome: 'late' })
  expect(await drain()).toMatchObject({ recorded: 1, holds: { settled: 0, late: 1, excess_tokens: 50 } })
  expect(await position()).toEqual(['950', '910'])
  expect(await stateOf(hold.id)).toMatchObject({ state: 'settled', is_late: true })
})

test('usage above a hold is counted and reported', async () => {
  const hold = request(100)
  await reserve(hold)
  const [row] = await ingest(usage(150, { reservation_id: hold.id }), usage(7, { reservation_id: hold.id }))
  expect(row?.holds).toEqual({ settled: 1, late: 0, excess_tokens: 57 })
  expect(await position()).toEqual(['157', '0'])
})

test('an event that was counted before ends its hold; one that is rejected gives it back', async () => {
  const [one, other] = [request(100), request(100)]
  await reserve(one, other)
  const event = usage(80)
  await ingest(event)
  await ingest({ ...event, reservation_id: one.id })
  expect(await position()).toEqual(['80', '100'])
  await ingest(usage(5, { reservation_id: other.id, member: false }))
  expect(await position()).toEqual(['80', '0'])
  expect(await stateOf(other.id)).toMatchObject({ state: 'released' })
})

test('usage on disk that is not recorded for a day gives its hold back', async () => {
  const hold = request(100)
  await reserve(hold)
  await commit(hold.id, usage(80, { reservation_id: hold.id }))
  await db.query('delete from tollgate.event_inbox')
  await runOut(hold.id, '23 hours')
  expect(await position()).toEqual(['0', '100'])
  await runOut(hold.id, '25 hours')
  expect(await position()).toEqual(['0', '0'])
})

test('the auditor puts a wrong total of holds right by setting it', async () => {
  await reserve(request(100))
  await db.query('update tollgate.reserved_totals set reserved_tokens = 42 where organization_id = $1', [organization])
  let after: string | null = null
  let drift = 0
  do {
    const [row]: RpcRow<'audit_reserved'>[] = await enforcer.rpc('audit_reserved', {
      after_organization: after,
      max_rows: 3,
    })
    drift += Number(row?.drift_tokens)
    after = row?.last_organization ?? null
  } while (after !== null)
  expect(drift).toBe(58)
  expect(await position()).toEqual(['0', '100'])
})

test('ended holds are forgotten after eight days, open ones never', async () => {
  const [open, ended] = [request(1), request(1)]
  await reserve(open, ended)
  await release(ended.id)
  await db.query(`update tollgate.reservations set created_at = now() - interval '9 days'`)
  expect((await enforcer.rpc('prune_reservations', { max_rows: 1_000 }))[0]?.pruned).toBeGreaterThan(0)
  expect([(await stateOf(open.id))?.state, await stateOf(ended.id)]).toEqual(['held', undefined])
})
