import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from './run-cli.ts'
import { usageEvent } from './usage-event.ts'

let database: TestDatabase
let admin: pg.Client

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  const events = Array.from({ length: 50 }, (_, id) => usageEvent(id, { daysAgo: id % 20 }))
  await admin.query('select * from public.ingest_usage($1)', [{ events }])
})
afterAll(async () => {
  await admin.end()
  await database.drop()
})

const run = (...args: string[]) => runCli(['reconcile', ...args], database)

describe('tollgate reconcile', () => {
  it('finds sound books sound', async () => {
    const result = await run()
    expect(result.stdout).toContain('every rollup is the sum of the ledger')
    expect(result.stderr).toContain('slices')
    expect(result.code).toBe(0)
  })

  it('reports a drift of one LLM token, repairs it, and finds nothing any more', async () => {
    await admin.query(`update public.usage_metrics set tokens_used = tokens_used + 1
      where date = (select min(date) from public.usage_metrics)`)
    const reported = await run('--report', '--json')
    expect(reported.code).toBe(1)
    expect(reported.json()).toMatchObject({ repaired: false, drift: [{ rollup: 'usage_metrics', tokens_off: '-1' }] })
    expect(await run()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('1 rows were off; they are recomputed.'),
    })
    expect((await run('--json')).json()).toMatchObject({ drift: [] })
  })

  it('refuses what it does not understand', async () => {
    expect(await run('--since', '2026-02-30')).toMatchObject({ code: 2 })
    expect(await run('--organization', 'acme')).toMatchObject({ code: 2 })
  })
})
