import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type Dashboard, textOf } from './open-dashboard.ts'

const PATIENT = { timeout: 20_000 }

/** Usage of the month before, ingested as an import may bring it, some of it after the month was closed. */
async function closeLastMonth({
  sql,
  idOf,
  file,
}: Dashboard): Promise<{ readonly day: string; readonly organization: string }> {
  const organization = idOf('borealis-labs')
  const user = file.users.find((one) => one.organization_id === organization)?.id
  const now = new Date()
  const day = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 10)).toISOString().slice(0, 10)
  const events = Array.from({ length: 6 }, (_, n) => ({
    ...{ type: 'usage.recorded', source: 'statement', id: `event-${n}`, organization_id: organization, user_id: user },
    ...{ time: `${day}T12:0${n}:00Z`, received_at: now.toISOString(), member: true, imported: true, session_id: 's' },
    ...{ model: n % 2 === 0 ? 'gpt-4o' : 'never-priced', input_tokens: 1_000 + n, output_tokens: 10, message_count: 1 },
    ...{ cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_output_tokens: 0 },
  }))
  const ingest = (some: object[]) => sql.query('select public.ingest_usage($1)', [JSON.stringify({ events: some })])
  await ingest(events.slice(0, 4))
  const request = { organization_id: organization, at: `${day}T12:00:00Z`, closed_by: 'test' }
  expect((await sql.query('select outcome from public.close_period($1)', [request])).rows).toEqual([
    { outcome: 'closed' },
  ])
  await ingest(events.slice(4))
  return { day, organization }
}

/** Statements on the page, against what `tollgate period close` froze and what the ledger says. */
export function describeStatements(open: () => Dashboard): void {
  it('a closed month shows what was frozen; what came later stands in the open one, and both print', async () => {
    const dashboard = open()
    const { day, organization } = await closeLastMonth(dashboard)
    const { rows } = await dashboard.sql.query(
      `select to_char(used_tokens, 'FM999,999,999') as tokens, trim_scale(cost_usd)::text as cost,
         trim_scale(charge_usd)::text as charge from tollgate.period_statements where organization_id = $1`,
      [organization],
    )
    const page = await dashboard.signIn('borealis-labs', 'admin', { query: `?view=statement&period=${day}` })
    const figure = (name: string) => textOf(page.locator(`[data-statement=${name}]`))
    await expect.poll(() => figure('tokens'), PATIENT).toBe(rows[0].tokens)
    expect([await figure('cost'), await figure('charge')]).toEqual([`$${rows[0].cost}`, `$${rows[0].charge}`])
    expect(await figure('state')).toMatch(/^Closed/)
    expect(await page.locator('[data-lines=models] tbody').first().textContent()).toContain('never-priced')
    expect(await page.locator('[data-lines=models] tbody').first().textContent()).toContain('unpriced')
    const totalRow = page.locator('[data-lines=models] tfoot')
    expect(await totalRow.getByText('+ 2 unpriced').count()).toBe(2)
    await page.getByText(/LLM tokens of this period came after it was closed/).waitFor()

    await page.getByLabel('Period').selectOption({ index: 0 })
    const { tokens, cost } = await dashboard.ledger(
      `organization_id = '${organization}' and period_start = (select period_start from tollgate.organization_period('${organization}'))`,
    )
    await expect.poll(() => figure('tokens'), PATIENT).toBe(tokens)
    expect(await figure('cost')).toBe(`$${cost}`)
    expect(await figure('state')).toMatch(/^Open/)
    expect(await page.locator('[data-lines=earlier] tr').count()).toBe(3)

    await page.emulateMedia({ media: 'print' })
    for (const hidden of ['.bar-top', '.views', '.filters']) expect(await page.locator(hidden).isVisible()).toBe(false)
    expect(await page.locator('article.statement').isVisible()).toBe(true)
    expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000)
  })

  it('the export of a statement adds up to its total', async () => {
    const page = await open().signIn('acme-research', 'admin', { query: '?view=statement' })
    await page.getByRole('button', { name: 'JSON' }).waitFor(PATIENT)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'JSON' }).click(),
    ])
    const lines = JSON.parse(readFileSync(await download.path(), 'utf8')) as { section: string; tokens_used: string }[]
    const sum = (...sections: string[]): bigint =>
      lines
        .filter(({ section }) => sections.includes(section))
        .reduce((all, line) => all + BigInt(line.tokens_used), 0n)
    expect(sum('total')).toBeGreaterThan(0n)
    expect(sum('model', 'earlier')).toBe(sum('total'))
    expect(sum('user', 'earlier')).toBe(sum('total'))
  })
}
