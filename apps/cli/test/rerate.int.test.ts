import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBooks, type TestBooks } from './open-books.ts'
import { runCli } from './run-cli.ts'
import { usageEvent } from './usage-event.ts'

const DAYS = 20
const EACH_DAY = 5
const USER = '00000000-0000-4000-8000-0000000000a1'
let books: TestBooks

beforeAll(async () => {
  books = await openBooks()
  const events = Array.from({ length: DAYS * EACH_DAY }, (_, id) =>
    usageEvent(id, { daysAgo: id % DAYS, model: 'acme-llm', provider: 'acme', session_id: `c${id % 7}` }),
  )
  await books.ingest([...events, usageEvent('other', { daysAgo: 1 })])
})
afterAll(() => books.close())

const day = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10)
const run = (...args: string[]) => runCli(args, books.database)
const RERATE = ['rerate', '--from', day(DAYS + 1), '--to', day(-1), '--json'] as const
const posted = () =>
  books.row(
    `select count(*)::int as entries, coalesce(sum(cost_usd), 0)::float as cost from tollgate.usage_events where entry = 'rerate'`,
  )
const state = () =>
  books.row(`select (select sum(unpriced_events)::int from public.usage_metrics) as unpriced,
    (select sum(unpriced_events)::int from tollgate.period_totals) as periods,
    (select sum(unpriced_events)::int from public.chat_sessions) as sessions,
    (select sum(cost_usd)::float from tollgate.usage_by_model where model = 'acme-llm') as cost`)

describe('tollgate rerate', () => {
  it('finds nothing while the price book says the same', async () => {
    expect((await run(...RERATE)).json()).toEqual({ differences: [], posted: [] })
  })

  it('shows the difference of a new price first, and posts nothing in a dry run', async () => {
    const set = await run('prices', 'set', 'acme-llm', '--provider', 'acme', '--input', '1', '--output', '2')
    expect(set.code).toBe(0)
    expect((await run('prices', 'list', '--json')).json()).toMatchObject([{ model: 'acme-llm', input: '1.000000' }])
    const { differences, ...rest } = (await run(...RERATE, '--dry-run')).json() as {
      differences: object[]
      posted: object[]
    }
    expect(rest).toEqual({ posted: [] })
    expect(differences).toHaveLength(DAYS)
    expect(differences[0]).toMatchObject({
      model: 'acme-llm',
      events: EACH_DAY,
      newly_priced: EACH_DAY,
      cost_difference: '0.000060000000',
    })
    expect(await posted()).toEqual({ entries: 0, cost: 0 })
  })

  it('killed in the middle and run again while usage comes in, it ends the same', async () => {
    await runCli(RERATE, {
      databaseUrl: books.database.databaseUrl,
      onStderr: (text, kill) => {
        if (text.includes('entries re-rated')) kill('SIGKILL')
      },
    })
    const afterKill = await posted()
    expect(afterKill?.entries).toBeGreaterThan(0)
    expect(afterKill?.entries).toBeLessThan(DAYS * EACH_DAY)
    const [finished] = await Promise.all([
      run(...RERATE),
      books.ingest(Array.from({ length: 50 }, (_, id) => usageEvent(`more-${id}`, { daysAgo: id % DAYS }))),
    ])
    expect(finished.code).toBe(0)
    // 100 events of 10 input and 1 output LLM tokens at 1 and 2 USD per million.
    expect(await posted()).toEqual({ entries: DAYS * EACH_DAY, cost: 0.0012 })
    expect(await state()).toEqual({ unpriced: 0, periods: 0, sessions: 0, cost: 0.0012 })
    expect(await books.findDrift()).toEqual([])
    expect((await run(...RERATE)).json()).toEqual({ differences: [], posted: [] })
  })

  it('posts the difference alone when a price changes, down as well as up', async () => {
    await run('prices', 'set', 'acme-llm', '--provider', 'acme', '--input', '0.5', '--output', '2')
    const [first] = await Promise.all([run(...RERATE, '--model', 'acme-llm')])
    expect(first.code).toBe(0)
    expect(await state()).toMatchObject({ cost: 0.0007 })
    expect(await books.findDrift()).toEqual([])
  })

  it('keeps to the events of an erased user: a repetition finds nothing, and a void takes all of it back', async () => {
    expect((await run('erase-user', USER, '--yes')).code).toBe(0)
    await run('prices', 'set', 'acme-llm', '--provider', 'acme', '--input', '3', '--output', '2')
    expect((await run(...RERATE)).code).toBe(0)
    expect(await state()).toMatchObject({ cost: 0.0032 })
    expect((await run(...RERATE)).json()).toEqual({ differences: [], posted: [] })
    const voids = Array.from({ length: DAYS * EACH_DAY }, (_, id) => ({
      ...usageEvent(`void-${id}`, { input_tokens: 0, output_tokens: 0, message_count: 0 }),
      type: 'usage.corrected',
      corrects: { source: 's', id: String(id) },
      revision: 1,
    }))
    await books.ingest(voids)
    expect(await state()).toMatchObject({ cost: 0 })
    expect(await books.findDrift()).toEqual([])
  })
})
