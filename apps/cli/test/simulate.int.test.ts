import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBooks, type TestBooks } from './open-books.ts'
import { runCli } from './run-cli.ts'
import { usageEvent } from './usage-event.ts'

const DAY_MS = 86_400_000
let books: TestBooks
let directory: string
let policy: string

beforeAll(async () => {
  books = await openBooks()
  directory = await mkdtemp(join(tmpdir(), 'tollgate-simulate-'))
  policy = join(directory, 'policy.json')
  const steps = [
    { at_percent: 50, state: 'warned' },
    { at_percent: 100, state: 'revoked' },
  ]
  await writeFile(policy, JSON.stringify({ steps, downgrade_to: {} }))
})
afterAll(async () => {
  await rm(directory, { recursive: true })
  await books.close()
})

// Noon of three days in a row of one calendar month that is not older than usage may be.
function threeDays(): Date[] {
  const now = new Date()
  const start = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), 12) - 5 * DAY_MS
  const first = new Date(start).getUTCDate() > 26 ? start - 5 * DAY_MS : start
  return [0, 1, 2].map((day) => new Date(first + day * DAY_MS))
}

const simulate = (...args: string[]) => runCli(['quota', 'simulate', '--policy', policy, ...args], books.database)
const day = (at: Date) => at.toISOString().slice(0, 10)
const everything = () =>
  books.row(`select (select count(*) from tollgate.quota_decisions)::int as decisions,
    (select count(*) from tollgate.enforcement_states)::int as states, (select count(*) from tollgate.audit_log)::int as audit,
    (select md5(string_agg(p::text, '|' order by p::text)) from tollgate.period_totals p) as totals`)

it('tells who would have been warned and revoked, and when, and changes nothing', async () => {
  const [first, second, third] = threeDays()
  if (!first || !second || !third) throw new Error('three days')
  // 60, 110 and 170 LLM tokens in all.
  await books.ingest([
    usageEvent('a', { time: first.toISOString(), input_tokens: 59 }),
    usageEvent('b', { time: second.toISOString(), input_tokens: 49 }),
    usageEvent('c', { time: third.toISOString(), input_tokens: 59 }),
  ])
  const before = await everything()
  const range = ['--from', day(first), '--to', day(third), '--json']
  const found = (await simulate(...range, '--limit', '110')).json()
  expect(found).toMatchObject({
    organizations: [
      {
        limit_tokens: '110',
        crossings: [
          { at: first.toISOString(), from_state: 'active', state: 'warned', used_tokens: '60' },
          { at: second.toISOString(), from_state: 'warned', state: 'revoked', used_tokens: '110' },
        ],
      },
    ],
  })
  // What was used in the period before the first asked day counts, and is not told.
  const later = (await simulate('--from', day(second), '--to', day(third), '--limit', '110', '--json')).json()
  expect(later).toMatchObject({ organizations: [{ crossings: [{ state: 'revoked', used_tokens: '110' }] }] })
  expect((await simulate(...range, '--limit', 'unlimited')).json()).toMatchObject({
    organizations: [{ crossings: [] }],
  })
  expect((await simulate('--from', day(first), '--to', day(third), '--limit', '110')).stdout).toContain(
    'Nothing was changed.',
  )
  expect(await everything()).toEqual(before)
})

it('refuses a file that is no policy', async () => {
  const broken = join(directory, 'broken.json')
  await writeFile(broken, '{"steps": [{"at_percent": -1}]}')
  const run = await runCli(
    ['quota', 'simulate', '--policy', broken, '--from', '2026-01-01', '--to', '2026-01-02'],
    books.database,
  )
  expect(run).toMatchObject({ code: 2 })
  expect(run.stderr).toContain('is no policy')
})

it('includes grants, manual acts, observing and limits of users, as they were', async () => {
  const [, second, third] = threeDays()
  if (!second || !third) throw new Error('three days')
  const range = ['--from', day(second), '--to', day(third), '--limit', '110', '--json']
  const { organization_id: id, user_id } = usageEvent('a', {})
  const minutes = (at: Date, count: number) => new Date(at.getTime() + count * 60_000).toISOString()
  const states = async (...args: string[]) => {
    const found = (await simulate(...range, ...args)).json() as {
      organizations: { crossings: Record<string, unknown>[] }[]
    }
    return (found.organizations[0]?.crossings ?? []).map((crossing) => [
      crossing.user_id,
      crossing.state,
      crossing.reason,
    ])
  }
  const insertAct = `insert into tollgate.quota_decisions (
    organization_id, user_id, kind, decided_at, from_state, to_state, version, reason, actor, inputs)
    values ($1, $2, 'act', $3, 'active', 'active', 0, 'ordered', 'ada', $4)`
  expect(await states()).toEqual([[null, 'revoked', 'max_tokens_100_percent']])
  // Ten minutes after the revocation somebody gave more, until the evening.
  await books.admin.query(
    `insert into tollgate.grants (organization_id, amount_tokens, expires_at, reason, idempotency_key, actor, created_at, settled_until)
     values ($1, 1000, $2, 'sorry', 'k', 'ada', $3, $3)`,
    [id, minutes(second, 300), minutes(second, 10)],
  )
  expect(await states()).toEqual([
    [null, 'revoked', 'max_tokens_100_percent'],
    [null, 'active', 'within_limit'], // 110 of 1,110
    // The grant expired first and gave all 110; then 170 of 220.
    [null, 'warned', 'max_tokens_50_percent'],
  ])
  await books.admin.query(insertAct, [id, null, minutes(second, 20), { action: 'revoke', until: minutes(second, 30) }])
  expect((await states()).slice(1)).toEqual([
    [null, 'active', 'within_limit'],
    [null, 'revoked', 'manual_revoke'],
    [null, 'active', 'within_limit'],
    [null, 'warned', 'max_tokens_50_percent'],
  ])
  expect((await states('--user-limit', '120')).at(-1)).toEqual([user_id, 'revoked', 'max_tokens_120_percent'])
  await books.admin.query(insertAct, [id, user_id, minutes(second, 1), { action: 'downgrade', until: null }])
  expect((await states()).filter(([user]) => user !== null)).toEqual([[user_id, 'downgraded', 'manual_downgrade']])
  await books.admin.query(
    `insert into tollgate.organization_settings (organization_id, enforcement_mode) values ($1, 'observe')`,
    [id],
  )
  expect((await states()).some(([, state]) => state === 'revoked' || state === 'downgraded')).toBe(false)
})
