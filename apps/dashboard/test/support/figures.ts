import { expect, it } from 'vitest'
import { type Dashboard, textOf, tile, total } from './open-dashboard.ts'

const PATIENT = { timeout: 20_000 }

/** That each role sees its own figures, equal to the ledger's. */
export function describeFigures(open: () => Dashboard): void {
  it("an admin's tiles and table equal the ledger, to the last digit", async () => {
    const page = await open().signIn('acme-research', 'admin')
    const { tokens, cost, messages } = await open().ledger(`organization_id = '${open().idOf('acme-research')}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    expect(await textOf(tile(page, 'message_count'))).toBe(messages)
    await expect.poll(() => textOf(total(page, 'tokens')), PATIENT).toBe(tokens)
    expect(await textOf(total(page, 'cost'))).toBe(`$${cost}`)
    expect(await page.locator('tbody', { hasText: 'acme-internal-llm' }).first().textContent()).toContain('unpriced')
    await page.getByText(/and \d+ calls unpriced/).waitFor()
    // Nor is it $0 as a bar of cost: what has no price is told beside them.
    await page.goto(`${open().file.dashboard}/?metric=cost&model=acme-internal-llm`)
    await page.getByText(/\d+ calls without a price: not in the bars/).waitFor(PATIENT)
    // The totals are not narrowed down with them, and say so.
    expect(await page.locator('.tile', { hasText: ', all models' }).count()).toBe(5)
    const told = await page.locator('.bar').evaluateAll((bars) => bars.map((bar) => bar.getAttribute('aria-label')))
    const { rows } = await open().sql.query(
      `select count(distinct usage_date)::int as n from tollgate.usage_events
       where model = 'acme-internal-llm' and usage_date >= date_trunc('month', now() at time zone 'UTC')`,
    )
    expect(told.filter((text) => text?.endsWith(': unpriced'))).toHaveLength(rows[0].n)
    expect(told.filter((text) => text?.endsWith(': $0.00'))).toHaveLength(told.length - rows[0].n)
  })

  it('a user sees the own usage alone, and neither statements, limits nor decisions', async () => {
    const page = await open().signIn('acme-research', 'user')
    const user = open().file.users.find(({ email }) => email === 'ada@acme-research.example')
    const { tokens } = await open().ledger(`user_id = '${user?.id}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    await expect.poll(() => textOf(page.locator('[data-own=used]')), PATIENT).toBe(tokens)
    // The meter is the user's own: nothing of what the organization used or may use.
    const [quota] = (
      await open().sql.query(
        `select to_char(used_tokens, 'FM999,999,999,999') as used from tollgate.period_totals
       where organization_id = $1 order by period_start desc limit 1`,
        [open().idOf('acme-research')],
      )
    ).rows
    expect(await page.locator('main').textContent()).not.toContain(quota.used)
    expect(await page.locator('.quota-line').textContent()).toContain('without a limit of your own')
    for (const name of ['Quota', 'Limit', 'Grants', 'Limits of users', 'Policy', 'Enforcement', 'Webhook deliveries']) {
      expect(await page.getByRole('heading', { name, exact: true }).count()).toBe(0)
    }
    // What is not for the user's eyes, and an odd address, leads back, without a word of the database's.
    for (const query of ['?view=statement', '?org=nonsense', '?user=zzz']) {
      await page.goto(`${open().file.dashboard}/${query}`)
      await page.getByText('There is nothing here that you may see.').getByRole('button').click()
      await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
      expect(new URL(page.url()).search).toBe('')
    }
    await page.goto(`${open().file.dashboard}/?preset=custom&start=2026-02-30&end=2026-03-02&day=2026-02-30`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    expect(await page.getByRole('alert').count()).toBe(0)
  })

  it.each(['', '&view=statement'])("another organization's id in the address shows nothing (%s)", async (view) => {
    const page = await open().signIn('acme-research', 'admin', { query: `?org=${open().idOf('borealis-labs')}${view}` })
    await page.getByText('There is nothing here that you may see.').waitFor()
    expect(await page.locator('[data-tile], [data-statement]').count()).toBe(0)
    expect(await page.locator('main').textContent()).not.toContain('Borealis')
  })

  it('what is priced in part alone says how much is not, wherever its cost stands', async () => {
    const page = await open().signIn('acme-research', 'super_admin')
    const listed = page.getByRole('row', { name: /Acme Research/ })
    await listed.getByText(/^ \+ \d+ unpriced$/).waitFor(PATIENT)
    await listed.getByRole('button').click()
    await page.getByRole('button', { name: 'User', exact: true }).first().click()
    // The table by model, which has no such row, stands until that by user is there.
    const rows = page.locator('[data-table=usage] tbody tr', { hasText: /\$[\d.]+ \+ \d+ unpriced/ })
    await rows.first().waitFor(PATIENT)
  })

  it('super_admin finds every organization in a list and opens each', async () => {
    const page = await open().signIn('acme-research', 'super_admin')
    await page.getByRole('searchbox').fill('bore')
    await page.getByRole('button', { name: 'Cobalt Support' }).waitFor({ state: 'detached' })
    expect(new URL(page.url()).search).toBe('?q=bore')
    await page.getByRole('button', { name: 'Borealis Labs' }).click()
    const { tokens } = await open().ledger(`organization_id = '${open().idOf('borealis-labs')}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    expect(new URL(page.url()).searchParams.get('org')).toBe(open().idOf('borealis-labs'))
    await page.goBack()
    await page.getByRole('searchbox').fill('')
    await page.getByRole('button', { name: 'Cobalt Support' }).waitFor()
  })
}
