import { readFileSync } from 'node:fs'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { describeChanges } from './support/changes.ts'
import { describeLive } from './support/live.ts'
import { type Dashboard, openDashboard, textOf, tile, total } from './support/open-dashboard.ts'
import { describeStatements } from './support/statements.ts'

let dashboard: Dashboard

beforeAll(async () => {
  dashboard = await openDashboard()
}, 240_000)
afterEach(() => dashboard?.closePages())
afterAll(() => dashboard?.close())

const signIn: Dashboard['signIn'] = (...options) => dashboard.signIn(...options)
const PATIENT = { timeout: 20_000 }

describe('figures', () => {
  it("an admin's tiles and table equal the ledger, to the last digit", async () => {
    const page = await signIn('acme-research', 'admin')
    const { tokens, cost, messages } = await dashboard.ledger(`organization_id = '${dashboard.idOf('acme-research')}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    expect(await textOf(tile(page, 'message_count'))).toBe(messages)
    await expect.poll(() => textOf(total(page, 'tokens'))).toBe(tokens)
    expect(await textOf(total(page, 'cost'))).toBe(`$${cost}`)
    expect(await page.locator('tbody', { hasText: 'acme-internal-llm' }).first().textContent()).toContain('unpriced')
    await page.getByText(/and \d+ calls unpriced/).waitFor()
  })

  it('a user sees the own usage alone, and neither statements, limits nor decisions', async () => {
    const page = await signIn('acme-research', 'user')
    const user = dashboard.file.users.find(({ email }) => email === 'ada@acme-research.example')
    const { tokens } = await dashboard.ledger(`user_id = '${user?.id}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    for (const name of ['Limit and grants', 'Limits of users', 'Policy', 'Enforcement', 'Webhook deliveries']) {
      expect(await page.getByRole('heading', { name }).count()).toBe(0)
    }
    await page.goto(`${dashboard.file.dashboard}/?view=statement`)
    await page.getByText('There is nothing here that you may see.').waitFor()
  })

  it.each(['', '&view=statement'])("another organization's id in the address shows nothing (%s)", async (view) => {
    const page = await signIn('acme-research', 'admin', { query: `?org=${dashboard.idOf('borealis-labs')}${view}` })
    await page.getByText('There is nothing here that you may see.').waitFor()
    expect(await page.locator('[data-tile], [data-statement]').count()).toBe(0)
    expect(await page.locator('main').textContent()).not.toContain('Borealis')
  })

  it('what is priced in part alone says how much is not, wherever its cost stands', async () => {
    const page = await signIn('acme-research', 'super_admin')
    const listed = page.getByRole('row', { name: /Acme Research/ })
    await listed.getByText(/^ \+ \d+ unpriced$/).waitFor(PATIENT)
    await listed.getByRole('button').click()
    await page.getByRole('button', { name: 'User', exact: true }).first().click()
    const row = page.locator('[data-table=usage] tbody tr', { hasText: 'unpriced' }).first()
    await row.waitFor(PATIENT)
    expect(await row.textContent()).toMatch(/\$[\d.]+ \+ \d+ unpriced/)
  })

  it('super_admin finds every organization in a list and opens each', async () => {
    const page = await signIn('acme-research', 'super_admin')
    await page.getByRole('button', { name: 'Borealis Labs' }).click()
    const { tokens } = await dashboard.ledger(`organization_id = '${dashboard.idOf('borealis-labs')}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    expect(new URL(page.url()).searchParams.get('org')).toBe(dashboard.idOf('borealis-labs'))
    await page.goBack()
    await page.getByRole('button', { name: 'Cobalt Support' }).waitFor()
  })
})

describe('habits', () => {
  it('filters stand in the address, the back button undoes them, a reload keeps them', async () => {
    const page = await signIn('acme-research', 'admin')
    const table = () => page.locator('[data-table=usage] tbody').textContent()
    await page.getByRole('button', { name: 'Cost', exact: true }).first().click()
    await page.getByRole('button', { name: 'User', exact: true }).first().click()
    expect(new URL(page.url()).search).toBe('?metric=cost&by=user')
    await expect.poll(table, PATIENT).toContain('Bruno Keller')
    await page.reload()
    await expect.poll(table, PATIENT).toContain('Bruno Keller')
    await page.locator('[data-table=usage]').getByRole('button', { name: 'Bruno Keller' }).first().click()
    await page.getByRole('button', { name: 'Bruno Keller: show all again' }).click()
    expect(new URL(page.url()).searchParams.has('user')).toBe(false)
    await page.goBack()
    await page.goBack()
    await page.goBack()
    expect(new URL(page.url()).search).toBe('?metric=cost')
    await expect.poll(table, PATIENT).toContain('gpt-4o')
    await page.getByLabel('Span').selectOption('last-30-days')
    expect(new URL(page.url()).searchParams.get('preset')).toBe('last-30-days')
    await expect.poll(() => page.locator('.bar').count()).toBe(30)
  })

  it('a key on a day opens its hours, and a range of two days shows them too, with the same totals', async () => {
    const page = await signIn('acme-research', 'admin')
    const bar = page.locator('.bar', { has: page.locator('i') }).first()
    await bar.waitFor(PATIENT)
    await bar.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /Usage of/ }).waitFor()
    await expect.poll(() => page.locator('.bar').count()).toBe(24)
    const day = new URL(page.url()).searchParams.get('day') ?? expect.fail('no day in the address')
    const dayTokens = async (until: string) =>
      (
        await dashboard.ledger(
          `organization_id = '${dashboard.idOf('acme-research')}' and usage_date between '${day}' and '${until}'`,
        )
      ).tokens
    await expect.poll(() => textOf(total(page, 'tokens'))).toBe(await dayTokens(day))
    await page.goBack()
    const next = new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10)
    await page.goto(`${dashboard.file.dashboard}/?preset=custom&start=${day}&end=${next}`)
    await expect.poll(() => page.locator('.bar').count(), PATIENT).toBe(48)
    await expect.poll(() => textOf(total(page, 'tokens'))).toBe(await dayTokens(next))
  })

  it('what cannot be read says so and is tried again; an empty span says that it is empty', async () => {
    const page = await signIn('acme-research', 'admin', {
      prepare: (page) => page.route(/report_usage/, (route) => route.abort()),
    })
    await page.getByRole('alert').filter({ hasText: 'The usage could not be read' }).waitFor(PATIENT)
    await page.unroute(/report_usage/)
    await page.getByRole('alert').getByRole('button', { name: 'Try again' }).first().click()
    await page.locator('[data-table=usage] tbody tr').first().waitFor(PATIENT)
    await page.goto(`${dashboard.file.dashboard}/?preset=custom&start=2020-01-01&end=2020-01-31`)
    await page.getByText('Nothing was used in this span.').waitFor(PATIENT)
    await page.getByText('No chat session began in this span.').waitFor(PATIENT)
    expect(await textOf(tile(page, 'tokens_used'))).toBe('0')
  })

  const takeFile = async (page: Page, name: string): Promise<string> => {
    const clicked = page.getByRole('button', { name, exact: true }).click()
    const [download] = await Promise.all([page.waitForEvent('download'), clicked])
    return readFileSync(await download.path(), 'utf8')
  }
  const sumOf = (values: readonly string[]): string =>
    new Intl.NumberFormat('en').format(values.reduce((sum, value) => sum + BigInt(value), 0n))

  it('each export holds exactly what is shown, and adds up', async () => {
    const page = await signIn('acme-research', 'admin')
    await page.getByRole('button', { name: 'CSV' }).waitFor(PATIENT)
    const shown = (await textOf(total(page, 'tokens'))) ?? expect.fail('no total')
    const count = await page.locator('[data-table=usage] tbody tr').count()
    for (const [name, column] of [
      ['CSV', 'tokens_used'],
      ['FOCUS', 'ConsumedQuantity'],
    ] as const) {
      const [head = '', ...lines] = (await takeFile(page, name)).trim().split('\r\n')
      const at = head.split(',').indexOf(column)
      expect(sumOf(lines.map((line) => line.split(',')[at] ?? ''))).toBe(shown)
      expect(lines).toHaveLength(count)
    }
    const rows = JSON.parse(await takeFile(page, 'JSON')) as { tokens_used: string }[]
    expect(sumOf(rows.map((row) => row.tokens_used))).toBe(shown)
    expect(rows).toHaveLength(count)
  })

  it.each([
    ['light', ''],
    ['dark', ''],
    ['light', '&view=statement'],
  ] as const)('axe finds no serious violation in %s %s', async (colorScheme, query) => {
    const organization = dashboard.idOf('cobalt-support')
    const page = await signIn('acme-research', 'super_admin', { query: `?org=${organization}${query}`, colorScheme })
    await page.getByRole('button', { name: query ? 'Print' : 'Change policy' }).waitFor(PATIENT)
    if (!query) await page.getByRole('button', { name: 'Change policy' }).click()
    await expect.poll(() => page.getByText('Loading').count(), PATIENT).toBe(0)
    await page.evaluate(axe.source)
    const violations = await page.evaluate(async () => {
      const page = globalThis as unknown as { axe: typeof axe }
      return (await page.axe.run()).violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0]?.html }))
    })
    expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([])
  })

  it('nothing jumps while the page comes in and when a filter changes', async () => {
    const page = await signIn('acme-research', 'admin')
    await page.addInitScript(() => {
      new PerformanceObserver((list) => {
        // Every load's shifts count.
        const before = Number(sessionStorage.getItem('shifts') ?? 0)
        const shifts = list.getEntries().map((entry) => (entry as unknown as { value: number }).value)
        sessionStorage.setItem('shifts', String(shifts.reduce((sum, shift) => sum + shift, before)))
      }).observe({ type: 'layout-shift' as 'mark', buffered: true })
    })
    await page.reload()
    await page.locator('[data-table=usage] tbody tr').first().waitFor(PATIENT)
    await expect.poll(() => page.getByText('Loading').count(), PATIENT).toBe(0)
    await page.goto(`${dashboard.file.dashboard}/?by=user`)
    await page.locator('[data-table=usage] tbody tr').first().waitFor(PATIENT)
    await page.getByRole('button', { name: 'Cost', exact: true }).first().click()
    await expect.poll(() => new URL(page.url()).search).toContain('metric=cost')
    await expect.poll(() => page.locator('.busy').count(), PATIENT).toBe(0)
    // A good page stays below 0.1 (web.dev/cls).
    expect(await page.evaluate(() => Number(sessionStorage.getItem('shifts') ?? 'nothing measured'))).toBeLessThan(0.02)
  })

  it('the page may talk to its two servers and run its own script alone', async () => {
    const answer = await fetch(`${dashboard.file.dashboard}/`)
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self'")
    expect(policy).not.toContain('unsafe-inline')
  })
})

describe('statements', () => describeStatements(() => dashboard))
describe('changes', () => describeChanges(() => dashboard))
describe('live', () => describeLive(() => dashboard))
