import { fromPicodollars, toPicodollars } from '@tollgate/shared/quota'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { readCsv, takeFile } from './files.ts'
import { type Dashboard, textOf } from './open-dashboard.ts'

const PATIENT = { timeout: 20_000 }

/** A day of the month so many months ago. */
export function monthsAgo(months: number, day: number): string {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, day)).toISOString().slice(0, 10)
}

/** Usage of the first and the last day of the month before, ingested as an import may bring it, some of it after the month was closed. */
async function closeLastMonth({ sql, idOf, userOf, ingest }: Dashboard) {
  const organization = idOf('borealis-labs')
  const [day, lastDay] = [monthsAgo(1, 1), monthsAgo(0, 0)]
  const events = Array.from({ length: 6 }, (_, n) => ({
    ...{ source: 'statement', id: `event-${n}`, organization_id: organization, user_id: userOf('borealis-labs') },
    ...{ time: `${n === 0 ? lastDay : day}T12:0${n}:00Z`, imported: true, input_tokens: 1_000 + n },
    model: n % 2 === 0 ? 'gpt-4o' : 'never-priced',
  }))
  await ingest(events.slice(0, 4))
  const request = { organization_id: organization, at: `${day}T12:00:00Z`, closed_by: 'test' }
  expect((await sql.query('select outcome from public.close_period($1)', [request])).rows).toEqual([
    { outcome: 'closed' },
  ])
  await ingest(events.slice(4))
  return { day, organization }
}

/** How the LLM tokens of the month up to today compare with as many days of the month before. */
async function monthlyChange({ ledger }: Dashboard, organization: string): Promise<string> {
  const today = new Date().getUTCDate()
  const length = Number(monthsAgo(0, 0).slice(8))
  // A shorter month has not as many days: it is the days right before then.
  const [from, to] =
    today <= length ? [monthsAgo(1, 1), monthsAgo(1, today)] : [monthsAgo(0, 1 - today), monthsAgo(0, 0)]
  const tokens = async (first: string, last: string) => {
    const figures = await ledger(`organization_id = '${organization}' and usage_date between '${first}' and '${last}'`)
    return Number(figures.tokens.replaceAll(',', ''))
  }
  const share = (await tokens(monthsAgo(0, 1), monthsAgo(0, today))) / (await tokens(from, to)) - 1
  const percent = new Intl.NumberFormat('en', { style: 'percent', signDisplay: 'exceptZero' })
  return share > 9.99 ? '> +999%' : percent.format(share)
}

/** How far the statement's tables reach beyond their card on a usual screen: nothing stands where nobody sees it. */
async function overhangs(page: Page): Promise<number[]> {
  await page.setViewportSize({ width: 1_280, height: 1_000 })
  return page
    .locator('.statement .scroll')
    .evaluateAll((parts) => parts.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth))
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
    expect(await overhangs(page)).toEqual([0, 0])

    await page.getByLabel('Period').selectOption({ index: 0 })
    const { tokens, cost } = await dashboard.ledger(
      `organization_id = '${organization}' and period_start = (select period_start from tollgate.organization_period('${organization}'))`,
    )
    await expect.poll(() => figure('tokens'), PATIENT).toBe(tokens)
    expect(await figure('cost')).toBe(`$${cost}`)
    expect(await figure('state')).toMatch(/^Open/)
    expect(await page.locator('[data-lines=earlier] tr').count()).toBe(3)
    expect(await overhangs(page)).toEqual([0, 0])

    await page.emulateMedia({ media: 'print' })
    for (const hidden of ['.bar-top', '.views', '.filters']) expect(await page.locator(hidden).isVisible()).toBe(false)
    expect(await page.locator('article.statement').isVisible()).toBe(true)
    expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000)
    await page.emulateMedia({ media: null })

    // The present month is compared with as many days of the one before, not with all of it.
    await page.getByRole('button', { name: 'Usage', exact: true }).click()
    const change = page.locator('.tile', { has: page.locator('[data-tile=tokens_used]') })
    await expect.poll(() => textOf(change), PATIENT).toContain(await monthlyChange(dashboard, organization))
    await page.getByText(/^(> )?\+[\d]{1,3}% of what is priced$/).waitFor()
    await page.getByText(/^[^(]+ \(\d+ days?, the last not over yet\), compared with /).waitFor()
  })

  it('each export of a statement adds up to its total', async () => {
    const page = await open().signIn('acme-research', 'admin', { query: '?view=statement' })
    await page.getByRole('button', { name: 'JSON' }).waitFor(PATIENT)
    expect(await overhangs(page)).toEqual([0, 0])
    const main = page.locator('main')
    const lines = JSON.parse(await takeFile(main, 'JSON')) as { section: string; tokens_used: string }[]
    const sum = (...sections: string[]): bigint =>
      lines
        .filter(({ section }) => sections.includes(section))
        .reduce((all, line) => all + BigInt(line.tokens_used), 0n)
    expect(sum('total')).toBeGreaterThan(0n)
    expect(sum('model', 'earlier')).toBe(sum('total'))
    expect(sum('user', 'earlier')).toBe(sum('total'))
    const csv = readCsv(await takeFile(main, 'CSV'))
    expect(csv.map(({ section, tokens_used }) => ({ section, tokens_used }))).toEqual(
      lines.map(({ section, tokens_used }) => ({ section, tokens_used })),
    )
    const focus = readCsv(await takeFile(main, 'FOCUS'))
    expect(focus.reduce((all, line) => all + BigInt(line.ConsumedQuantity ?? ''), 0n)).toBe(sum('total'))
    const charge = await textOf(page.locator('[data-statement=charge]'))
    const billed = focus.reduce((all, line) => all + toPicodollars(line.BilledCost || '0'), 0n)
    expect(`$${fromPicodollars(billed)}`).toBe(charge)
    expect(new Set(focus.map((line) => line.BillingPeriodStart))).toEqual(new Set([`${monthsAgo(0, 1)}T00:00:00Z`]))
  })
}
