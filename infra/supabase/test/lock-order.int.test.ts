import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventOf, ORGANIZATIONS, type UsageEvent } from './usage-fixture.ts'

// Whatever works on the books takes its locks in the order of ingest_usage: nobody ever waits in a circle.
const [organization_id] = ORGANIZATIONS
const user_id = '00000000-0000-4000-8000-0000000000a1'
const now = Date.now()
const DAY_MS = 86_400_000
let database: TestDatabase
let admin: pg.Client
let one: pg.Client
let other: pg.Client
const clients: pg.Client[] = []

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(database.databaseUrl)
  await client.connect()
  await client.query(`set deadlock_timeout = '100ms'`)
  clients.push(client)
  return client
}

beforeAll(async () => {
  database = await createTestDatabase()
  admin = await connect()
  one = await connect()
  other = await connect()
  await admin.query(`insert into public.organizations (id, name, domain) values ($1, 'A', 'a')`, [organization_id])
})
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()))
  await database.drop()
})
beforeEach(async () => {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, tollgate.usage_by_month, public.chat_sessions, tollgate.period_totals,
    tollgate.preexisting_usage, tollgate.sealed_days, tollgate.sealed_sessions, tollgate.sealed_periods`)
})

const usage = (key: number, change: Partial<UsageEvent> & { imported?: boolean } = {}) => ({
  ...eventOf(key, now),
  organization_id,
  user_id,
  time: new Date(now).toISOString(),
  ...change,
})
const ingest = (events: object[], client = admin) => client.query('select * from public.ingest_usage($1)', [{ events }])
const isWaiting = async (): Promise<number> => {
  const { rows } = await admin.query(`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'`)
  return rows[0].n
}
const untilWaiting = (count: number) => expect.poll(isWaiting, { timeout: 20_000 }).toBe(count)
/** The SQLSTATE of a failure and what was being done, or null. */
const codeOf = (work: Promise<unknown>): Promise<string | null> =>
  work.then(
    () => null,
    (error: unknown) => (error instanceof pg.DatabaseError ? `${error.code} ${error.where}` : String(error)),
  )

async function reconcile(client: pg.Client, repair = true): Promise<unknown[]> {
  const drift: unknown[] = []
  interface Step {
    resume: object | null
    drift: unknown[]
  }
  let scan: object | null = { repair, budget_ms: 50 }
  while (scan !== null) {
    const step: pg.QueryResult<Step> = await client.query('select * from public.reconcile_books($1)', [scan])
    drift.push(...(step.rows[0]?.drift ?? []))
    scan = step.rows[0]?.resume ?? null
  }
  return drift
}

describe('reconcile beside ingestion', () => {
  /** Repairs a day whose session has lost its row, while somebody has that session and then wants the next rollup. */
  async function repairBeside(): Promise<(string | null)[]> {
    await ingest([usage(1, { session_id: 's' })])
    await admin.query('delete from public.chat_sessions')
    await admin.query('update tollgate.usage_by_organization_model set total_tokens = total_tokens + 1')
    await one.query('begin')
    await one.query(
      `insert into public.chat_sessions (organization_id, user_id, librechat_session_id, started_at, last_activity_at)
       values ($1, $2, 's', now(), now())`,
      [organization_id, user_id],
    )
    const repairing = codeOf(reconcile(other))
    await untilWaiting(1)
    const counting = await codeOf(
      one.query('update tollgate.usage_by_organization_model set event_count = event_count'),
    )
    await one.query('commit')
    return [counting, await repairing]
  }

  it('gives a lost session its row before it takes the rollup of the organization', async () => {
    expect(await repairBeside()).toEqual([null, null])
    expect(await reconcile(other, false)).toEqual([])
  })

  it('is caught by that very test when it takes the sessions last', async () => {
    const path = join(import.meta.dirname, '../schemas/40-functions/repair_day.sql')
    const sound = readFileSync(path, 'utf8').replaceAll('create function', 'create or replace function')
    const step = '  perform tollgate.add_missing_sessions(for_organization, for_date);\n'
    const broken = sound
      .replace(step, '')
      .replace('\n  update public.usage_metrics', `\n${step}  update public.usage_metrics`)
    expect(broken).not.toBe(sound)
    await admin.query(broken)
    try {
      expect((await repairBeside()).join()).toContain('40P01')
    } finally {
      await admin.query(sound)
    }
  })

  it('repairs days, sessions and periods for as long as usage comes in, without one deadlock', async () => {
    const user = (key: number) => `00000000-0000-4000-8000-0000000000b${key % 10}`
    const before = `insert into public.usage_metrics (organization_id, user_id, date, tokens_used) values ($1, $2, $3, 5)`
    for (let daysAgo = 1; daysAgo < 4; daysAgo++) {
      const date = new Date(now - daysAgo * DAY_MS).toISOString().slice(0, 10)
      await admin.query(before, [organization_id, user(daysAgo), date])
    }
    let isCounting = true
    const writers = [0, 1, 2].map(async (writer) => {
      const codes: (string | null)[] = []
      const client = await connect()
      for (let round = 0; round < 30; round++) {
        const events = Array.from({ length: 40 }, (_, key) =>
          usage(key, {
            id: `${writer}-${round}-${key}`,
            user_id: user(key + writer),
            time: new Date(now - (key % 4) * DAY_MS).toISOString(),
          }),
        )
        codes.push(await codeOf(ingest(events, client)))
      }
      return codes
    })
    const spoil = [
      `delete from public.chat_sessions where ctid = (select ctid from public.chat_sessions order by random() limit 1)`,
      `update tollgate.usage_by_organization_model set total_tokens = total_tokens + 1
       where ctid = (select ctid from tollgate.usage_by_organization_model order by random() limit 1)`,
      `update tollgate.period_totals set used_tokens = used_tokens + 1
       where ctid = (select ctid from tollgate.period_totals order by random() limit 1)`,
    ]
    const keeper = (async () => {
      const codes: (string | null)[] = []
      for (let round = 0; isCounting; round++) {
        await admin.query(spoil[round % spoil.length] ?? '')
        codes.push(await codeOf(reconcile(other)))
      }
      return codes
    })()
    const written = (await Promise.all(writers)).flat()
    isCounting = false
    expect(new Set([...written, ...(await keeper)])).toEqual(new Set([null]))
    expect(written).toHaveLength(90)
    await reconcile(other)
    await reconcile(other)
    expect(await reconcile(other, false)).toEqual([])
    const { rows } = await admin.query(`select sum(event_count)::int as events, sum(tokens_used)::int as tokens,
      (select sum(total_tokens)::int from tollgate.usage_events) as ledger from public.usage_metrics`)
    expect(rows[0].events).toBe(3_600)
    expect(rows[0].tokens).toBe(rows[0].ledger)
  })
})

describe('the months of the ledger', () => {
  const AGE_DAYS = 300
  const time = new Date(now - AGE_DAYS * DAY_MS).toISOString()
  const model = 'unpriced-so-far'

  /** A re-rate that has read the ledger, and waits for an identity until `release`. */
  async function rerateHalfway(): Promise<{ finish: () => Promise<string | null> }> {
    await ingest([usage(1, { time, model, imported: true })])
    await admin.query('select public.ensure_usage_partitions()')
    await admin.query('select public.set_price($1)', [{ provider: 'acme', model, input: '1', output: '1' }])
    await admin.query(`update tollgate.usage_events set provider = 'acme'`)
    await one.query('begin')
    await one.query('select from tollgate.usage_event_identities for update')
    const request = { organization_id, date: time.slice(0, 10), bucket: 0, buckets: 1, dry_run: false }
    const rerating = codeOf(other.query('select * from public.rerate_usage($1)', [request]))
    await untilWaiting(1)
    const finish = async () => {
      await one.query('commit')
      return await rerating
    }
    return { finish }
  }
  const balances = async () =>
    (
      await admin.query(`select (select sum(cost_usd)::text from tollgate.day_entries) as entries,
        (select sum(cost_usd)::text from public.usage_metrics) as days`)
    ).rows[0]

  it('are made beside a re-rate that has read them and is about to write', async () => {
    const rerate = await rerateHalfway()
    await ingest([usage(2, { time: new Date(now - 500 * DAY_MS).toISOString(), imported: true })])
    const keeper = await connect()
    const making = codeOf(keeper.query('select * from public.ensure_usage_partitions()'))
    await untilWaiting(2)
    expect([await rerate.finish(), await making]).toEqual([null, null])
    const { entries, days } = await balances()
    expect(days).toBe(entries)
  })

  it('are sealed beside such a re-rate, with what it posted', async () => {
    const rerate = await rerateHalfway()
    const keeper = await connect()
    const sealAll = async () => {
      while ((await keeper.query('select from public.seal_usage_partition(200)')).rowCount);
    }
    const sealing = codeOf(sealAll())
    await untilWaiting(2)
    expect([await rerate.finish(), await sealing]).toEqual([null, null])
    const { entries, days } = await balances()
    expect(Number(entries)).toBeGreaterThan(0)
    expect(days).toBe(entries)
    expect((await admin.query('select from tollgate.usage_events')).rowCount).toBe(0)
  })
})

describe('two holds of one organization', () => {
  const hold = (total_tokens: number, client: pg.Client) => {
    const request = { id: randomUUID(), organization_id, user_id, session_id: 's', total_tokens, ttl_seconds: 60 }
    return client.query('select outcome from public.reserve_tokens($1)', [{ requests: [request] }])
  }

  it('follow one another: the second waits for the first, and sees what it has left', async () => {
    await admin.query(`update public.organizations set librechat_config = '{"max_tokens": 1000}'`)
    expect((await hold(1, admin)).rows).toEqual([{ outcome: 'held' }])
    await one.query('begin')
    expect((await hold(600, one)).rows).toEqual([{ outcome: 'held' }])
    const second = hold(600, other)
    await untilWaiting(1)
    await one.query('commit')
    expect((await second).rows).toEqual([{ outcome: 'refused' }])
    const { rows } = await admin.query('select reserved_tokens::int as held from tollgate.reserved_totals')
    expect(rows).toEqual([{ held: 601 }])
  })
})

describe('an import', () => {
  it('keeps for ever what somebody else records at this very moment, too', async () => {
    await one.query('begin')
    await ingest([usage(7)], one)
    const importing = other.query('select * from public.import_usage($1)', [{ events: [usage(7), usage(8)] }])
    await untilWaiting(1)
    await one.query('commit')
    expect((await importing).rows).toMatchObject([{ recorded: 1, duplicates: 1, rejected: [] }])
    const { rows } = await admin.query('select count(*)::int as n from tollgate.usage_event_identities where imported')
    expect(rows).toEqual([{ n: 2 }])
  })

  it('takes nothing under the source of opening balances', async () => {
    const events = [usage(1, { source: 'tollgate' }), usage(2)]
    const { rows } = await other.query('select * from public.import_usage($1)', [{ events, dry_run: false }])
    expect(rows).toMatchObject([{ recorded: 1, rejected: [{ i: 0, reason: 'invalid_event' }] }])
  })
})
