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
