import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTemporaryDir, type TemporaryDir } from '@tollgate/local-stack/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBooks, type TestBooks } from './open-books.ts'
import { runCli } from './run-cli.ts'

const ORGANIZATION = '00000000-0000-4000-8000-000000000001'
const USER = '00000000-0000-4000-8000-0000000000a1'
const ROWS = 6_000
let books: TestBooks
let temporary: TemporaryDir
let csv: string

beforeAll(async () => {
  books = await openBooks()
  temporary = createTemporaryDir()
  csv = join(temporary.dir, 'usage.csv')
  await books.admin.query('insert into auth.users (id, email) values ($1, $2)', [USER, 'a@example.com'])
  await books.admin.query(
    `insert into public.organizations (id, name, domain, plan_type) values ($1, 'Org', 'org', 'starter')`,
    [ORGANIZATION],
  )
  await books.admin.query(
    `insert into public.profiles (id, organization_id, role, email) values ($1, $2, 'user', 'a@example.com')`,
    [USER, ORGANIZATION],
  )
  const lines = Array.from({ length: ROWS }, (_, row) => {
    const time = new Date(Date.UTC(2025, 0, 1) + row * 3_600_000).toISOString()
    return `${time},${USER},gpt-4o,${10 + (row % 7)},1`
  })
  writeFileSync(csv, `at,user_id,model,prompt,output_tokens\n${lines.join('\n')}\n`)
})
afterAll(async () => {
  await books.close()
  await temporary.remove()
})

const MAPPING = ['--map', 'time=at', '--map', 'input_tokens=prompt', '--set', 'session_id=old', '--set']
const args = (...more: string[]) => ['import', csv, ...MAPPING, `organization_id=${ORGANIZATION}`, '--json', ...more]
const counted = () =>
  books.row(`select (select count(*)::int from tollgate.usage_events) as entries, (select coalesce(sum(tokens_used), 0)::int from public.usage_metrics) as tokens,
    (select count(*)::int from tollgate.usage_events_default) as waiting, (select count(*)::int from tollgate.usage_event_identities where not imported) as prunable`)
const TOKENS = Array.from({ length: ROWS }, (_, row) => 11 + (row % 7)).reduce((sum, tokens) => sum + tokens, 0)

describe('tollgate import', () => {
  it('says in a dry run what would become of the rows, and changes nothing', async () => {
    const run = await runCli(args('--dry-run'), books.database)
    expect(run.json()).toMatchObject({
      dry_run: true,
      rows: ROWS,
      recorded: ROWS,
      duplicates: 0,
      rejected: 0,
      unpriced: 0,
    })
    expect(await counted()).toMatchObject({ entries: 0 })
  })

  it('killed in the middle and run again, it ends with every row counted once', async () => {
    await runCli(args(), {
      databaseUrl: books.database.databaseUrl,
      onStderr: (text, kill) => {
        if (text.includes('recorded')) kill('SIGKILL')
      },
    })
    const half = await counted()
    expect(half?.entries).toBeGreaterThan(0)
    expect(half?.entries).toBeLessThan(ROWS)
    const run = await runCli(args(), books.database)
    expect(run.code).toBe(0)
    const { recorded, duplicates, conflicts } = run.json() as Record<string, number>
    expect({ recorded, duplicates, conflicts }).toEqual({
      recorded: ROWS - Number(half?.entries),
      duplicates: half?.entries,
      conflicts: 0,
    })
    expect(await counted()).toEqual({ entries: ROWS, tokens: TOKENS, waiting: 0, prunable: 0 })
    expect(await books.findDrift()).toEqual([])
  })

  it('wakes nobody for past periods', async () => {
    const due = await books.row(`select count(*)::int as n from tollgate.period_totals t
      where t.period_start = (select p.period_start from tollgate.organization_period(t.organization_id) p)`)
    expect(due).toEqual({ n: 0 })
  })

  it('rejects rows one by one, with their number and the reason', async () => {
    const file = join(temporary.dir, 'odd.ndjson')
    const good = {
      organization_id: ORGANIZATION,
      user_id: USER,
      session_id: 's',
      model: 'm',
      input_tokens: 1,
      output_tokens: 1,
      time: 1_700_000_000,
    }
    const rows = [
      good,
      { ...good, input_tokens: -1 },
      { ...good, user_id: ORGANIZATION },
      { ...good, organization_id: USER },
    ]
    writeFileSync(file, `${rows.map((row) => JSON.stringify(row)).join('\n')}\nnot json\n`)
    const run = await runCli(['import', file, '--json'], books.database)
    expect(run.code).toBe(1)
    expect(run.json()).toMatchObject({ rows: 5, recorded: 1, unpriced: 1, rejected: 4 })
    const { faults } = run.json() as { faults: { row: number }[] }
    expect(faults.map(({ row }) => row).toSorted()).toEqual([2, 3, 4, 5])
  })

  it('rejects what belongs to a closed period, instead of counting it against the present one', async () => {
    await books.admin.query(`select public.close_period($1)`, [
      { organization_id: ORGANIZATION, at: '2025-02-10T00:00:00Z', closed_by: 'test' },
    ])
    const event = { source: 's', time: '2025-02-11T00:00:00Z', received_at: new Date().toISOString(), member: true }
    const usage = { organization_id: ORGANIZATION, user_id: USER, session_id: 's', model: 'gpt-4o', input_tokens: 1 }
    const none = {
      output_tokens: 1,
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 0,
      reasoning_output_tokens: 0,
    }
    const of = (id: string, time: string) => ({ ...event, ...usage, ...none, message_count: 1, id, time })
    const events = [of('closed', event.time), of('open', '2025-03-11T00:00:00Z')]
    const { rows } = await books.admin.query('select * from public.import_usage($1)', [{ events, dry_run: false }])
    expect(rows).toMatchObject([{ recorded: 1, rejected: [{ i: 0, reason: 'period_closed' }] }])
  })
})
