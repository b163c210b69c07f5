import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { askReports, type Question } from '../src/reports/ask-reports.ts'
import { type Asker, fillRollups, growLedger } from '../src/reports/fill-rollups.ts'

// What the scenario `reports` measures is what it says: rollups that agree with each other, asked under row level security.
const SIZE = { organizations: 3, days: 40, users: 20, calls: 6 }
let database: TestDatabase
let db: pg.Pool
let askers: Asker[]

beforeAll(async () => {
  database = await createTestDatabase()
  db = new pg.Pool({ connectionString: database.databaseUrl, max: 2 })
  const before = await indexes()
  askers = await fillRollups(db, SIZE)
  expect(await indexes()).toEqual(before)
  await growLedger(db, askers, 500, 'first')
  await growLedger(db, askers, 500, 'second')
})
afterAll(async () => {
  await db?.end()
  await database?.drop()
})

const indexes = async () =>
  (await db.query(`select indexdef from pg_indexes where tablename like 'usage\\_%' order by indexdef`)).rows

it('the three rollups hold the same calls', async () => {
  const { rows } = await db.query(`
    select sum(event_count)::integer as calls, sum(input_tokens)::integer as input from tollgate.usage_by_model
    union all select sum(event_count)::integer, sum(input_tokens)::integer from public.usage_metrics
    union all select sum(event_count)::integer, sum(input_tokens)::integer from tollgate.usage_by_organization_model`)
  const calls = SIZE.organizations * SIZE.days * SIZE.users * SIZE.calls
  expect(rows).toEqual(Array.from({ length: 3 }, () => ({ calls, input: calls * 1_000 })))
})

it('an admin is told of the whole organization, a user of the own usage alone', async () => {
  const dayOf = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10)
  const query = { start: dayOf(60), end: dayOf(-2), bucket: 'total' }
  const ask = (as: Question['as'], group_by: string[]): Question => ({
    ...{ name: `${as} by ${group_by}`, report: 'report_usage', as, query: { ...query, group_by }, isGoal: true },
  })
  const asked = await askReports(database.databaseUrl, askers, [ask('adminId', ['user']), ask('userId', ['user'])])
  expect(asked.map(({ rows }) => rows)).toEqual([SIZE.users, 1])
  expect(asked.every(({ min, value, max }) => min > 0 && min <= value && value <= max)).toBe(true)
})
