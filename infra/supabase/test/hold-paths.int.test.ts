import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { createPgRpc, type RpcStore } from '@tollgate/shared/store'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HoldModel, type WantedHold } from './hold-model.ts'

const USERS = ['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a2']
const LIMIT = 1_000

let database: TestDatabase
let db: pg.Pool
let api: RpcStore
beforeAll(async () => {
  database = await createTestDatabase()
  db = new pg.Pool({ connectionString: database.databaseUrl, max: 2 })
  api = createPgRpc({
    ...{ connectionString: database.urls['token-api'], max: 2, applicationName: 'test', statementTimeoutMs: 20_000 },
    onError: () => undefined,
  })
})
afterAll(async () => {
  await Promise.allSettled([api.close(), db.end()])
  await database.drop()
})

/** An organization; `userLimit`: a default for its users, with which each request is decided on by itself. */
async function addOrganization(limit: number | null, userLimit?: number): Promise<string> {
  const id = randomUUID()
  await db.query(
    `insert into public.organizations (id, name, domain, plan_type, librechat_config) values ($1, 'Org', $2, 'starter', $3)`,
    [id, id, { max_tokens: limit }],
  )
  if (userLimit !== undefined) {
    await api.rpc('set_user_default', { change: { organization_id: id, limit: userLimit, actor: 'test' } })
  }
  return id
}

async function reserve(requests: WantedHold[]) {
  const batch = { requests: requests.map((request) => ({ ...request, ttl_seconds: 600 })) }
  const rows = (await api.rpc('reserve_tokens', { batch })).sort((one, other) => one.i - other.i)
  expect(rows.map(({ i }) => i)).toEqual(requests.map((_, i) => i))
  return rows
}

const drawn = fc.record({
  organization: fc.nat(4),
  user: fc.nat(1),
  total: fc.oneof(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 300, max: 1_100 })),
  key: fc.option(fc.nat(3), { nil: undefined }),
  // 0: new; else one of those that were asked before, again as it was (or, with 1, under its key for more).
  again: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 30 })),
})

test('new, repeated, refused, conflicting and unknown requests in one call, in any mixture, are answered as by the model', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(drawn, { minLength: 1, maxLength: 8 }), { minLength: 3, maxLength: 8 }),
      async (calls) => {
        const organizations = [
          ...[await addOrganization(LIMIT), await addOrganization(null), await addOrganization(LIMIT, 400)],
          ...[await addOrganization(LIMIT, 1_000_000), randomUUID()],
        ] as const
        const model = new HoldModel(
          new Map([
            [organizations[0], { limit: LIMIT, userLimit: null }],
            [organizations[1], { limit: null, userLimit: null }],
            [organizations[2], { limit: LIMIT, userLimit: 400 }],
            [organizations[3], { limit: LIMIT, userLimit: 1_000_000 }],
          ]),
        )
        const asked: WantedHold[] = []
        const toRequest = ({ organization, user, total, key, again }: (typeof calls)[number][number]): WantedHold => {
          const before = again > 0 ? asked[again % Math.max(1, asked.length)] : undefined
          if (before !== undefined && again > 1) return before
          if (before?.idempotency_key !== undefined) {
            return { ...before, id: randomUUID(), total_tokens: before.total_tokens + 1 }
          }
          const request = {
            ...{ id: randomUUID(), organization_id: organizations[organization] ?? '', session_id: 'chat-1' },
            ...{
              user_id: USERS[user] ?? '',
              total_tokens: total,
              idempotency_key: key === undefined ? key : `key-${key}`,
            },
          }
          asked.push(request)
          return request
        }
        for (const call of calls) {
          const requests = call.map(toRequest)
          const expected = model.reserve(requests)
          const rows = await reserve(requests)
          expect(rows.map((row) => [row.outcome, 'id' in row ? row.id : null, row.remaining_tokens])).toEqual(
            expected.map((row) => [row.outcome, row.id, row.remaining]),
          )
          const told = rows.filter((row) => row.as_of !== null)
          const present = new Set(requests.map((request) => request.organization_id).filter((id) => model.knows(id)))
          expect(new Map(told.map((row) => [row.organization_id, row.reserved_tokens]))).toEqual(
            new Map([...present].map((id) => [id, String(model.heldBy(id))])),
          )
          expect(told).toHaveLength(present.size)
        }
        for (const id of organizations.slice(0, 4)) {
          const { rows } = await db.query(
            `select (select coalesce(sum(total_tokens), 0)::int from tollgate.reservations where organization_id = $1) as holds,
            (select coalesce(sum(reserved_tokens), 0)::int from tollgate.reserved_totals where organization_id = $1) as total`,
            [id],
          )
          expect(rows).toEqual([{ holds: model.heldBy(id), total: model.heldBy(id) }])
        }
      },
    ),
    { numRuns: 50 },
  )
})

test('a call in which everything fits answers as one in which each request is decided on by itself', async () => {
  const [together, inTurn] = [await addOrganization(LIMIT), await addOrganization(LIMIT, 1_000_000)]
  const requests = (organization_id: string) =>
    [100, 200, 300].map((total_tokens) => ({
      ...{ id: randomUUID(), organization_id, user_id: USERS[0] ?? '', session_id: 'chat-1', total_tokens },
    }))
  const answers = async (id: string) =>
    (await reserve(requests(id))).map((row) => ({
      ...row,
      ...{ id: typeof ('id' in row && row.id), organization_id: null, as_of: row.as_of === null },
      expires_at: 'expires_at' in row && Math.round((Date.parse(row.expires_at) - Date.now()) / 60_000),
    }))
  const first = await answers(together)
  expect(first).toEqual(await answers(inTurn))
  expect(first.map((row) => row.remaining_tokens)).toEqual(['900', '700', '400'])
})

test('leases that have run out are no part of what an organization holds, also those that nobody has marked yet', async () => {
  const inTurn = () => addOrganization(10_000, 1_000_000)
  // A call marks a thousand: whichever comes first, one of the two that are decided on in turn has some left.
  const organizations = [await addOrganization(10_000), await inTurn(), await inTurn()]
  const hold = (organization_id: string, total_tokens: number) => {
    return { id: randomUUID(), organization_id, user_id: USERS[0] ?? '', session_id: 'chat-1', total_tokens }
  }
  for (const id of organizations) await reserve(Array.from({ length: 900 }, () => hold(id, 1)))
  const runOut = `update tollgate.reservations set expires_at = now() - interval '1 second' where organization_id = any($1)`
  await db.query(runOut, [organizations])
  const rows = await reserve(organizations.map((id) => hold(id, 10)))
  expect(rows.map((row) => [row.outcome, row.remaining_tokens, row.reserved_tokens])).toEqual(
    organizations.map(() => ['held', '9990', '10']),
  )
})
