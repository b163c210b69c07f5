import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { correctionOf, eventOf } from './usage-fixture.ts'

// Months that are over are read folded: no report ever tells them from their days, whatever comes late and whenever.
const ORGANIZATION = '00000000-0000-4000-8000-000000000001'
const PEOPLE = ['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a2'] as const
const ASKERS = { admin: PEOPLE[0], user: PEOPLE[1], superAdmin: '00000000-0000-4000-8000-0000000000a3' } as const
const DAY_MS = 86_400_000
const now = Date.now()
const dayOf = (daysAgo: number): string => new Date(now - daysAgo * DAY_MS).toISOString().slice(0, 10)
/** A day of a month that is over for good. */
const OLD = 100
let database: TestDatabase
let admin: pg.Client
let other: pg.Client

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(database.databaseUrl)
  await client.connect()
  await client.query(`set statement_timeout = '20s'`)
  return client
}

beforeAll(async () => {
  database = await createTestDatabase()
  admin = await connect()
  other = await connect()
  await admin.query(`insert into public.organizations (id, name, domain) values ($1, 'A', 'a')`, [ORGANIZATION])
  for (const [name, id] of Object.entries(ASKERS)) {
    await admin.query('insert into auth.users (id, email) values ($1, $2)', [id, `${name}@a.example`])
    const role = name === 'superAdmin' ? 'super_admin' : name
    await admin.query('insert into public.profiles (id, organization_id, role, email) values ($1, $2, $3, $4)', [
      ...[id, ORGANIZATION, role, `${name}@a.example`],
    ])
  }
})
afterAll(async () => {
  await admin?.end()
  await other?.end()
  await database?.drop()
})
const clear = async (): Promise<void> => {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, tollgate.usage_by_month, public.chat_sessions,
    tollgate.period_totals, tollgate.pending_corrections, tollgate.preexisting_usage`)
  // What is priced as it was re-rated before would not change.
  await admin.query(`delete from tollgate.model_prices where origin = 'operator'`)
}
beforeEach(clear)
afterEach(async () => {
  await other.query('rollback')
  await admin.query('rollback')
})

/** Usage of one organization, from days so long ago on; every third is of these days. */
const late = (key: number) => ({
  ...eventOf(key, now),
  organization_id: ORGANIZATION,
  time: new Date(now - (key % 3 === 0 ? key % 20 : 60 + (key % 90)) * DAY_MS).toISOString(),
  imported: true,
})
const ingest = (events: object[], client = admin) => client.query('select public.ingest_usage($1)', [{ events }])

interface Scan {
  stage: string | null
}
async function reconcile(stage: string, repair = true, client = admin): Promise<unknown[]> {
  const drift: unknown[] = []
  let scan: Scan | null = { stage }
  while (scan !== null) {
    const step: pg.QueryResult<{ resume: Scan | null; drift: unknown[] }> = await client.query(
      'select resume, drift from public.reconcile_books($1)',
      [{ repair, budget_ms: 50, ...scan }],
    )
    drift.push(...(step.rows[0]?.drift ?? []))
    scan = step.rows[0]?.resume ?? null
  }
  return drift
}

const countFolded = async (): Promise<number> =>
  (await admin.query('select count(distinct month)::integer as n from tollgate.usage_by_month')).rows[0].n

const SPANS = [
  { start: dayOf(300), end: dayOf(-1) },
  { start: dayOf(110), end: dayOf(70) }, // from the middle of a month to that of another
]
const QUESTIONS = [
  ...[['model'], ['user'], [], ['token_kind']].map((group_by) => ({ bucket: 'month', group_by })),
  ...[['model'], ['user']].map((group_by) => ({ bucket: 'total', group_by })),
  { bucket: 'month', group_by: ['model'], model: 'gpt-4o' },
  { bucket: 'month', group_by: ['user'], user_id: PEOPLE[1] },
].flatMap((question) => SPANS.map((span) => ({ organization_id: ORGANIZATION, ...span, ...question })))

/** What everybody is told by every report. `folded: false`: with all months read by the day. */
async function askAll(folded: boolean): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {}
  await admin.query('begin isolation level repeatable read')
  if (!folded) await admin.query('delete from tollgate.usage_by_month')
  for (const [name, id] of Object.entries(ASKERS)) {
    await admin.query('reset role')
    await admin.query(
      `select set_config('request.jwt.claims', $1, true), set_config('request.jwt.claim.sub', $2, true)`,
      [...[JSON.stringify({ role: 'authenticated', sub: id }), id]],
    )
    await admin.query('set local role authenticated')
    const { rows } = await admin.query(
      `select q, (select jsonb_agg(r) from public.report_usage(q) r) as usage, (select to_jsonb(r) from public.report_summary(q) r) as summary
       from jsonb_array_elements($1::jsonb -> 'queries') q`,
      [{ queries: QUESTIONS }],
    )
    answers[name] = rows
  }
  await admin.query('rollback')
  return answers
}

/** A call of a day that is folded and has others, and one of a model with a price among those. */
const NEW = 91
const KNOWN =
  Array.from({ length: 40 }, (_, key) => key).find((key) => key % 3 > 0 && late(key).model === 'gpt-4o') ?? 0

const rerate = async (key: number): Promise<void> => {
  const price = { provider: 'openai', model: 'gpt-4o', input: `${1 + (key % 5)}`, output: '3' }
  await admin.query('select public.set_price($1)', [price])
  const request = { organization_id: ORGANIZATION, bucket: 0, buckets: 1, dry_run: false }
  await admin.query('select public.rerate_usage($1)', [{ ...request, date: late(key).time.slice(0, 10) }])
}

/** A row that somebody copies in from before Tollgate, of a day and a person. */
const copy = (key: number) =>
  admin.query(
    `insert into public.usage_metrics (organization_id, user_id, date, tokens_used, message_count) values ($1, $2, $3, 7, 1)
     on conflict do nothing`,
    [ORGANIZATION, ASKERS.superAdmin, dayOf(60 + (key % 40))],
  )

/** What may happen to days of months that are over. */
const ACTS = {
  use: (key: number) => ingest([late(key), late(key + 1)]),
  correct: (key: number) => ingest([{ ...correctionOf(key, 1 + (key % 3), now), organization_id: ORGANIZATION }]),
  rerate,
  copy,
  repair: async () => {
    await admin.query(`update public.usage_metrics set tokens_used = tokens_used + 1, input_tokens = input_tokens + 1
      where ctid = (select ctid from public.usage_metrics order by date limit 1)`)
    await reconcile('days')
  },
  fold: () => reconcile('months'),
} as const
const acts = fc.array(
  fc.tuple(fc.constantFrom(...(Object.keys(ACTS) as (keyof typeof ACTS)[]), 'use', 'fold', 'correct'), fc.nat(60)),
  { minLength: 3, maxLength: 10 },
)

async function agreeAfter(history: readonly (readonly [keyof typeof ACTS, number])[]): Promise<void> {
  await clear()
  await ingest(Array.from({ length: 40 }, (_, key) => late(key)))
  await reconcile('months')
  expect(await countFolded()).toBeGreaterThan(1)
  for (const [act, key] of history) await ACTS[act](key)
  expect(await askAll(true)).toEqual(await askAll(false))
  expect(await reconcile('days', false)).toEqual([])
}

describe('months that are over', () => {
  it('are folded in the background, and reports say the same to everybody, whatever came late', async () => {
    await fc.assert(fc.asyncProperty(acts, agreeAfter), { numRuns: 5 })
  }, 60_000)

  it('are found stale by that very test where nobody unfolds them', async () => {
    const unfold = (body: string) =>
      admin.query(`create or replace function tollgate.unfold_months(of_organizations uuid[], of_days date[]) returns void
        language plpgsql volatile security invoker set search_path = '' as $$ ${body} $$`)
    const sound = await admin.query(`select prosrc from pg_proc where proname = 'unfold_months'`)
    await unfold('begin end')
    try {
      for (const act of ['use', 'correct', 'rerate', 'copy'] as const) {
        await expect(agreeAfter([[act, act === 'use' ? NEW : KNOWN]]), act).rejects.toThrow('to deeply equal')
      }
      expect(await reconcile('months', false)).not.toEqual([])
    } finally {
      await unfold(sound.rows[0].prosrc)
    }
    await reconcile('months')
    expect(await reconcile('days', false)).toEqual([])
  })

  it('stay as they are while usage of one is being recorded, and are read by the day after it', async () => {
    await ingest([late(1), late(2)])
    await reconcile('months')
    const folded = await countFolded()
    const before = await askAll(true)
    await other.query('begin')
    await ingest([late(NEW)], other) // the day of the first
    expect(await askAll(true)).toEqual(before)
    expect(await reconcile('months')).toEqual([]) // it is sound, as everybody sees it
    expect(await countFolded()).toBe(folded)
    await other.query('commit')
    expect(await countFolded()).toBe(folded - 1)
    expect(await askAll(true)).toEqual(await askAll(false))
    await reconcile('months')
    expect(await countFolded()).toBe(folded)
    expect(await askAll(true)).toEqual(await askAll(false))
  })

  it('are not folded from a snapshot that is older than what is being recorded', async () => {
    await ingest([late(1)])
    await other.query('begin')
    await ingest([late(1 + 90)], other)
    await reconcile('months')
    expect(await countFolded()).toBe(0)
    await other.query('commit')
    // The other way round: whoever records waits for the fold, and unfolds it.
    const month = `${late(1).time.slice(0, 7)}-01`
    await other.query('begin')
    expect((await other.query('select tollgate.fold_month($1, $2) as done', [ORGANIZATION, month])).rows[0].done).toBe(
      true,
    )
    const recording = ingest([late(1 + 180)])
    const watch = await connect()
    const waiting = `select count(*)::integer as n from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`
    await expect.poll(async () => (await watch.query(waiting)).rows[0].n, { timeout: 20_000 }).toBe(1)
    await watch.end()
    await other.query('commit')
    await recording
    expect(await countFolded()).toBe(0)
    expect(await askAll(true)).toEqual(await askAll(false))
  })

  it('are right for every reader while late usage and folding go on', async () => {
    const folder = await connect()
    let folds = 0
    let isRecording = true
    const recording = (async () => {
      for (let round = 0; round < 25 || folds === 0; round++) await ingest([late(round), late(round + 90)], other)
      isRecording = false
    })()
    const folding = (async () => {
      while (isRecording) {
        await reconcile('months', true, folder)
        folds++
      }
    })()
    // One statement, so one snapshot: what the report says, and what the days say.
    const compare = `select (select coalesce(sum(r.tokens_used::bigint), 0) from public.report_usage($1) r) as report,
      (select coalesce(sum(m.tokens_used), 0) from public.usage_metrics m where m.organization_id = $2) as days`
    const query = { organization_id: ORGANIZATION, ...SPANS[0], bucket: 'month', group_by: ['user'] }
    await admin.query(
      `select set_config('request.jwt.claim.sub', $1, false), set_config('request.jwt.claims', $2, false)`,
      [...[ASKERS.admin, JSON.stringify({ role: 'authenticated', sub: ASKERS.admin })]],
    )
    while (isRecording) {
      const { rows } = await admin.query(compare, [query, ORGANIZATION])
      expect(rows[0].report).toBe(rows[0].days)
    }
    await Promise.all([recording, folding])
    await folder.end()
    expect(folds).toBeGreaterThan(0)
    expect(await askAll(true)).toEqual(await askAll(false))
  })

  it('bear a pseudonym as well when somebody is erased', async () => {
    await ingest(Array.from({ length: 20 }, (_, key) => late(key)))
    await reconcile('months')
    await admin.query('begin')
    await admin.query('select public.erase_user($1)', [{ user_id: PEOPLE[1], actor: 'test' }])
    const { rows } = await admin.query('select distinct user_id from tollgate.usage_by_month where user_id is not null')
    expect(rows.map(({ user_id }) => user_id)).toContain(PEOPLE[0])
    expect(rows.map(({ user_id }) => user_id)).not.toContain(PEOPLE[1])
    expect(rows).toHaveLength(2)
    await admin.query('rollback')
  })

  it('wait until the organization has a period, since its days may still follow another calendar at once', async () => {
    await copy(OLD)
    await reconcile('months')
    expect(await countFolded()).toBe(0)
    await reconcile('days')
    expect(await countFolded()).toBe(1)
  })

  it('are found where they are off, and folded anew', async () => {
    await ingest([late(1), late(OLD + 1)])
    await reconcile('months')
    await admin.query(`update tollgate.usage_by_month set total_tokens = total_tokens + 1 where model is not null
      and ctid = (select ctid from tollgate.usage_by_month where model is not null limit 1)`)
    const found = { rollup: 'usage_by_month', organization_id: ORGANIZATION, tokens_off: '-1' }
    expect(await reconcile('months', false)).toEqual([expect.objectContaining(found)])
    expect(await reconcile('months')).toHaveLength(1)
    expect(await reconcile('months', false)).toEqual([])
  })
})
