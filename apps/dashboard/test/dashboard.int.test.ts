import axe from 'axe-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { describeChanges } from './support/changes.ts'
import { describeFigures } from './support/figures.ts'
import { columnOf, readCsv, separated, takeFile } from './support/files.ts'
import { describeFocus } from './support/focus.ts'
import { describeGrants } from './support/grants.ts'
import { describeLive } from './support/live.ts'
import { describeLooks } from './support/looks.ts'
import { card, type Dashboard, openDashboard, textOf, tile, total } from './support/open-dashboard.ts'
import { describeStatements, monthsAgo } from './support/statements.ts'

let dashboard: Dashboard

beforeAll(async () => {
  dashboard = await openDashboard()
}, 240_000)
afterEach(() => dashboard?.closePages())
afterAll(() => dashboard?.close())

const signIn: Dashboard['signIn'] = (...options) => dashboard.signIn(...options)
const PATIENT = { timeout: 20_000 }

describe('figures', () => describeFigures(() => dashboard))

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
    await expect.poll(() => page.locator('.bar').count(), PATIENT).toBe(30)
    // A range of one's own begins with what is shown, and a day beyond its other end takes that end along.
    await page.getByLabel('Span').selectOption('custom')
    const range = () => ['start', 'end'].map((name) => new URL(page.url()).searchParams.get(name))
    await expect.poll(() => page.locator('.bar').count(), PATIENT).toBe(30)
    const [start = '', end] = range()
    await page.getByLabel('to', { exact: true }).fill('2020-01-31')
    expect(range()).toEqual(['2020-01-31', '2020-01-31'])
    await page.goBack()
    expect(range()).toEqual([start, end])
  })

  it('a key on a day opens its hours, and a range of two days shows them too, with the same totals', async () => {
    const page = await signIn('acme-research', 'admin')
    const bar = page.locator('.bar', { has: page.locator('i') }).first()
    await bar.waitFor(PATIENT)
    await bar.focus()
    const motionOf = () =>
      bar
        .locator('i')
        .first()
        .evaluate((part) => {
          const page = globalThis as unknown as { getComputedStyle(of: unknown): { transitionDuration: string } }
          return page.getComputedStyle(part).transitionDuration
        })
    expect(await motionOf()).toContain('0.2s')
    await page.emulateMedia({ reducedMotion: 'reduce' })
    expect(await motionOf()).toBe('0s')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /Usage of/ }).waitFor()
    await expect.poll(() => page.locator('.bar').count(), PATIENT).toBe(24)
    const day = new URL(page.url()).searchParams.get('day') ?? expect.fail('no day in the address')
    const dayTokens = async (until: string) =>
      (
        await dashboard.ledger(
          `organization_id = '${dashboard.idOf('acme-research')}' and usage_date between '${day}' and '${until}'`,
        )
      ).tokens
    await expect.poll(() => textOf(total(page, 'tokens')), PATIENT).toBe(await dayTokens(day))
    await page.goBack()
    const next = new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10)
    await page.goto(`${dashboard.file.dashboard}/?preset=custom&start=${day}&end=${next}`)
    await expect.poll(() => page.locator('.bar').count(), PATIENT).toBe(48)
    await expect.poll(() => textOf(total(page, 'tokens')), PATIENT).toBe(await dayTokens(next))
  })

  it('what cannot be read says so and is tried again; an empty span says that it is empty', async () => {
    const page = await signIn('acme-research', 'admin', {
      prepare: (page) => page.route(/report_usage/, (route) => route.abort()),
    })
    await page.getByRole('alert').filter({ hasText: 'The usage could not be read' }).waitFor(PATIENT)
    await page.unroute(/report_usage/)
    await page.getByRole('alert').getByRole('button', { name: 'Try again' }).first().click()
    await page.locator('[data-table=usage] tbody tr').first().waitFor(PATIENT)
    // Figures of one span never stand as another's, whatever fails.
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toMatch(/\d/)
    await page.route(/report_summary/, (route) => route.abort())
    await page.getByLabel('Span').selectOption('last-7-days')
    await page.getByRole('alert').filter({ hasText: 'The totals could not be read' }).waitFor(PATIENT)
    expect(await page.locator('[data-tile]').count()).toBe(0)
    await page.unroute(/report_summary/)
    await page.goto(`${dashboard.file.dashboard}/?preset=custom&start=2020-01-01&end=2020-01-31`)
    await page.getByText('Nothing was used in this span.').waitFor(PATIENT)
    await page.getByText('No chat session began in this span.').waitFor(PATIENT)
    expect(await textOf(tile(page, 'tokens_used'))).toBe('0')
    // What is still to come has not fallen by all of it.
    const [first, last] = [monthsAgo(-1, 1), monthsAgo(-1, 28)]
    await page.goto(`${dashboard.file.dashboard}/?preset=custom&start=${first}&end=${last}`)
    await page.getByText(/\(28 days\) is still to come\./).waitFor(PATIENT)
    await expect.poll(() => page.locator('.tile').getByText('nothing to compare').count(), PATIENT).toBe(5)
    await page.getByText(/Cost is the providers’; statements bill the charge where it differs\./).waitFor()
  })

  it('each export holds exactly what is shown, in its order, and adds up', async () => {
    const page = await signIn('cobalt-support', 'admin', { query: '?by=user' })
    const usage = card(page, 'Usage')
    await usage.getByRole('button', { name: 'LLM tokens' }).click(PATIENT)
    await usage.getByRole('button', { name: 'LLM tokens' }).click()
    expect(new URL(page.url()).searchParams.get('sort')).toBe('tokens_used')
    const shown = await columnOf(usage, 3)
    const [sum, ...rest] = [await textOf(total(page, 'tokens')), ...shown]
    for (const [name, column] of [
      ['CSV', 'tokens_used'],
      ['FOCUS', 'ConsumedQuantity'],
    ] as const) {
      const values = readCsv(await takeFile(usage, name)).map((line) => line[column] ?? '')
      expect(values.map(separated)).toEqual(rest)
      expect(separated(values.reduce((all, value) => all + BigInt(value), 0n))).toBe(sum)
    }
    const rows = JSON.parse(await takeFile(usage, 'JSON')) as { tokens_used: string }[]
    expect(rows.map((row) => separated(row.tokens_used))).toEqual(rest)
    expect(rest).toEqual(rest.toSorted((one, two) => Number(one.replaceAll(',', '')) - Number(two.replaceAll(',', ''))))

    const sessions = card(page, 'Chat sessions')
    await sessions.getByRole('button', { name: 'Show more' }).click()
    await sessions.getByText('Export 40 rows').waitFor(PATIENT)
    const lines = readCsv(await takeFile(sessions, 'CSV'))
    expect(lines.map((line) => separated(line.tokens_used ?? ''))).toEqual(await columnOf(sessions, 7))
    const decisions = card(page, 'Enforcement')
    const log = JSON.parse(await takeFile(decisions, 'JSON')) as { id: string }[]
    expect(log.map(({ id }) => id.slice(0, 8))).toEqual(await decisions.locator('tbody code').allTextContents())
  })

  it('more rows than an API hands over at once are all counted, and all in the file', async () => {
    const [organization, user] = [dashboard.idOf('cobalt-support'), dashboard.userOf('cobalt-support')]
    const day = monthsAgo(1, 5)
    await dashboard.ingest(
      Array.from({ length: 1_100 }, (_, n) => ({
        ...{ source: 'many', id: `event-${n}`, organization_id: organization, user_id: user, model: `model-${n}` },
        ...{ time: `${day}T12:00:00Z`, imported: true, input_tokens: 1 + n },
      })),
    )
    const query = `?org=${organization}&preset=custom&start=${day}&end=${monthsAgo(1, 8)}`
    const page = await signIn('acme-research', 'super_admin', { query })
    const { tokens } = await dashboard.ledger(`organization_id = '${organization}' and usage_date = '${day}'`)
    await expect.poll(() => textOf(total(page, 'tokens')), PATIENT).toBe(tokens)
    expect(await page.locator('[data-table=usage] tbody tr').count()).toBe(501)
    await page.getByRole('button', { name: 'Show more of 1,100 rows' }).click()
    await expect.poll(() => page.locator('[data-table=usage] tbody tr').count(), PATIENT).toBe(1_001)
    expect(readCsv(await takeFile(card(page, 'Usage'), 'CSV'))).toHaveLength(1_100)
  })

  it.each(['', '&view=statement'])('axe finds no serious violation in light or dark %s', async (view) => {
    const query = `?org=${dashboard.idOf('cobalt-support')}${view}`
    const page = await signIn('acme-research', 'super_admin', { query })
    await page.getByRole('button', { name: view ? 'Print' : 'Change policy' }).waitFor(PATIENT)
    await expect.poll(() => page.getByText('Loading').count(), PATIENT).toBe(0)
    if (!view) {
      // With all that opens: forms, and what a decision was decided from.
      await page.getByRole('button', { name: 'Change policy' }).click()
      await page.getByRole('button', { name: 'Add a named config' }).click()
      await page.getByRole('button', { name: 'Change its ladder' }).click()
      await page
        .getByRole('button', { name: /^What decision/ })
        .first()
        .click()
    }
    await page.evaluate(axe.source)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const violations = await page.evaluate(async () => {
        const page = globalThis as unknown as { axe: typeof axe }
        return (await page.axe.run()).violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0]?.html }))
      })
      expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([])
    }
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
    await expect.poll(() => new URL(page.url()).search, PATIENT).toContain('metric=cost')
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

describe('focus', () => describeFocus(() => dashboard))
describe('looks', () => describeLooks(() => dashboard))
describe('statements', () => describeStatements(() => dashboard))
describe('changes', () => describeChanges(() => dashboard))

describe('grants', () => describeGrants(() => dashboard))
describe('live', () => describeLive(() => dashboard))
