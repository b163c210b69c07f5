import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTemporaryDir, type TemporaryDir } from '@tollgate/local-stack/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBooks, type TestBooks } from './open-books.ts'
import { runCli } from './run-cli.ts'
import { usageEvent } from './usage-event.ts'

const ORGANIZATION = '00000000-0000-4000-8000-000000000001'
const USER = '00000000-0000-4000-8000-0000000000a1'
let books: TestBooks
let temporary: TemporaryDir

beforeAll(async () => {
  books = await openBooks()
  temporary = createTemporaryDir()
  await books.ingest(Array.from({ length: 12 }, (_, id) => usageEvent(id, { daysAgo: 60, imported: true })))
  await books.ingest([usageEvent('=1+1', { message_id: '@SUM(A1)' }), usageEvent('b')])
})
afterAll(async () => {
  await books.close()
  await temporary.remove()
})

const run = (...args: string[]) => runCli(args, books.database)
const day = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10)
const sums = () =>
  books.row(`select (select sum(total_tokens)::int from tollgate.usage_events) as ledger,
    (select sum(tokens_used)::int from public.usage_metrics) as metrics, (select sum(total_tokens)::int from tollgate.usage_by_model) as models,
    (select sum(total_tokens)::int from public.chat_sessions) as sessions, (select sum(used_tokens)::int from tollgate.period_totals) as periods,
    (select sum(cost_usd)::text from tollgate.usage_events) as cost`)

describe('tollgate period', () => {
  const close = () => run('period', 'close', '--organization', ORGANIZATION, '--at', day(60), '--json')

  it('freezes a statement once, and never one of a period that is not over', async () => {
    const closed = await close()
    expect(closed.code).toBe(0)
    expect(closed.json()).toMatchObject({ outcome: 'closed', used_tokens: '132', event_count: '12' })
    expect((await close()).json()).toMatchObject({ outcome: 'already_closed', used_tokens: '132' })
    const open = await run('period', 'close', '--organization', ORGANIZATION, '--at', day(0), '--json')
    expect(open).toMatchObject({ code: 1 })
    expect(open.json()).toMatchObject({ outcome: 'not_over', used_tokens: null })
    expect((await run('period', 'list', '--json')).json()).toMatchObject([
      { used_tokens: '132', lines: [{ model: 'gpt-4o', total_tokens: '132', event_count: '12' }] },
    ])
  })

  it('takes the options of every command before its name, too', async () => {
    const { databaseUrl } = books.database
    const nowhere = { databaseUrl: 'postgres://nobody@127.0.0.1:1/nothing' }
    const listed = await runCli(['--database-url', databaseUrl, '--json', 'period', 'list'], nowhere)
    expect(listed.json()).toMatchObject([{ used_tokens: '132' }])
    const wins = await runCli(
      ['--database-url', nowhere.databaseUrl, 'period', 'list', '--database-url', databaseUrl],
      nowhere,
    )
    expect(wins.code).toBe(0)
  })

  it('later usage of it posts to the open period, with a reference to its own', async () => {
    await books.ingest([usageEvent('late', { daysAgo: 60, imported: true })])
    const entry = await books.row(`select original_period_start = s.period_start as refers,
      e.period_start = (select period_start from tollgate.organization_period(e.organization_id)) as is_open,
      s.used_tokens = t.used_tokens as is_frozen
      from tollgate.usage_events e join tollgate.period_statements s using (organization_id)
      join tollgate.period_totals t on t.organization_id = s.organization_id and t.period_start = s.period_start
      where e.event_id = 'late'`)
    expect(entry).toEqual({ refers: true, is_open: true, is_frozen: true })
    expect(await books.findDrift()).toEqual([])
  })

  it('waits for what is being recorded, and what waits for it goes to the open period', async () => {
    const at = day(95)
    await books.ingest([usageEvent('x1', { daysAgo: 95, imported: true })])
    await books.admin.query('begin')
    await books.admin.query('select * from public.ingest_usage($1)', [
      { events: [usageEvent('x2', { daysAgo: 95, imported: true })] },
    ])
    const closing = run('period', 'close', '--organization', ORGANIZATION, '--at', at, '--json')
    const waiting = `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted`
    const waits = async () => (await books.admin.query(waiting)).rows[0].n
    await expect.poll(waits, { timeout: 60_000 }).toBe(1)
    await books.admin.query('commit')
    expect((await closing).json()).toMatchObject({ outcome: 'closed', used_tokens: '22' })
  })
})

describe('tollgate export', () => {
  it('writes every entry of the ledger once, safe for spreadsheets', async () => {
    const file = join(temporary.dir, 'ledger.csv')
    expect((await run('export', 'ledger', '--from', day(100), '--to', day(-1), '--out', file)).code).toBe(0)
    const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\r\n')
    expect(head).toContain('event_id')
    expect(lines).toHaveLength(17)
    expect(lines.filter((line) => line.includes(",'=1+1,"))).toHaveLength(1)
    expect(lines.some((line) => /,[=@]/.test(line))).toBe(false)
  })

  it('writes rollups as NDJSON that add up', async () => {
    const { stdout, code } = await run('export', 'rollups', '--from', day(100), '--to', day(-1), '--format', 'ndjson')
    expect(code).toBe(0)
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows.reduce((sum, row) => sum + Number(row.total_tokens), 0)).toBe(17 * 11)
  })
})

describe('tollgate erase-user', () => {
  it('needs a clear yes', async () => {
    expect(await run('erase-user', USER)).toMatchObject({ code: 2 })
  })

  it('takes the person out of every table and keeps every total; a repeated event is still a duplicate', async () => {
    const before = await sums()
    const erased = await run('erase-user', USER, '--yes', '--json')
    expect(erased.json()).toMatchObject({ entries: 17, sessions: 1 })
    expect(await sums()).toEqual(before)
    expect(await books.findDrift()).toEqual([])
    const left =
      await books.row(`select (select count(*)::int from tollgate.usage_events where user_id = '${USER}' or session_id = 'c' or message_id is not null) as ledger,
      (select count(*)::int from public.usage_metrics where user_id = '${USER}') as metrics, (select count(*)::int from tollgate.usage_by_model where user_id = '${USER}') as models,
      (select count(*)::int from public.chat_sessions where user_id = '${USER}' or librechat_session_id = 'c') as sessions`)
    expect(left).toEqual({ ledger: 0, metrics: 0, models: 0, sessions: 0 })
    const [again] = await books.ingest([usageEvent('b')])
    expect(again?.outcomes).toMatchObject([{ outcome: 'duplicate' }])
  })

  it('deleting the account takes no usage with it', async () => {
    const before = await sums()
    await books.admin.query('insert into auth.users (id, email) values ($1, $2)', [USER, 'gone@example.com'])
    await books.ingest([usageEvent('last')])
    const counted = await sums()
    expect(counted).not.toEqual(before)
    await books.admin.query('delete from auth.users where id = $1', [USER])
    expect(await sums()).toEqual(counted)
  })
})
