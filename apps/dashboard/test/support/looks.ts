import type { Locator, Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { formatDate, formatExactMoney } from '../../src/figures/format.ts'
import { sumMoney } from '../../src/figures/money.ts'
import { columnOf, readCsv, takeFile } from './files.ts'
import { card, type Dashboard, total } from './open-dashboard.ts'
import { monthsAgo } from './statements.ts'

const PATIENT = { timeout: 20_000 }

async function waitForAll(page: Page): Promise<void> {
  await page.locator('[data-table=usage] tbody tr, [data-lines=models] tbody tr').first().waitFor(PATIENT)
  await expect.poll(() => page.getByText('Loading').count(), PATIENT).toBe(0)
  await expect.poll(() => page.locator('.busy').count(), PATIENT).toBe(0)
}

/** How far the lower edges of some elements lie below those of what holds them. */
const reachBelow = (holders: Locator, selector: string): Promise<number[]> =>
  holders.evaluateAll((all, selector) => {
    const bottom = (part: { getBoundingClientRect(): { bottom: number } } | null) =>
      part?.getBoundingClientRect().bottom ?? Number.NaN
    return all.map((holder) => Math.round(bottom(holder.querySelector(selector)) - bottom(holder)))
  }, selector)

/** Whether any of an element can be seen, or something lies over all of it. */
async function isSeen(found: Locator): Promise<boolean> {
  await found.scrollIntoViewIfNeeded()
  return found.evaluate((part) => {
    const { left, top, width, height } = part.getBoundingClientRect()
    const heights = Array.from({ length: 40 }, (_, n) => top + (height * (n + 0.5)) / 40)
    return heights.some((y) => part.ownerDocument.elementFromPoint(left + width / 2, y) === part)
  })
}

/** How the page looks where a figure could be read wrongly or not at all. */
export function describeLooks(open: () => Dashboard): void {
  it('tables are printed whole; on a screen their total is seen with the first of their rows', async () => {
    const { signIn, ingest, idOf, userOf } = open()
    const [day, domain] = [monthsAgo(2, 5), 'cobalt-support']
    await ingest(
      Array.from({ length: 30 }, (_, n) => ({
        ...{ source: 'looks', id: `event-${n}`, organization_id: idOf(domain), user_id: userOf(domain) },
        ...{ time: `${day}T12:00:00Z`, imported: true, model: `model-${n}`, input_tokens: 1 + n },
      })),
    )
    const page = await signIn(domain, 'admin', { query: `?preset=custom&start=${day}&end=${monthsAgo(2, 8)}` })
    await waitForAll(page)
    const usage = page.locator('.scroll.tall', { has: page.locator('[data-table=usage]') })
    expect(Math.max(...(await reachBelow(usage, 'table')))).toBeGreaterThan(100)
    expect(Math.max(...(await reachBelow(usage, 'tfoot td')))).toBeLessThanOrEqual(0)
    await page.emulateMedia({ media: 'print' })
    expect(Math.max(...(await reachBelow(page.locator('.scroll'), 'table')))).toBeLessThanOrEqual(1)
    expect(Math.max(...(await reachBelow(page.locator('.card:has(.scroll)'), '.scroll')))).toBeLessThanOrEqual(0)
  })

  it('a narrow telephone shows the page without scrolling it sideways', async () => {
    const { signIn, sql, idOf, file } = open()
    const page = await signIn('acme-research', 'admin')
    await page.setViewportSize({ width: 360, height: 780 })
    const { rows } = await sql.query(
      'select max(usage_date)::text as day from tollgate.usage_events where organization_id = $1',
      [idOf('acme-research')],
    )
    const { day } = rows[0]
    for (const query of ['', '?by=token_kind', '?preset=last-30-days', '?preset=last-12-months', `?day=${day}`]) {
      await page.goto(`${file.dashboard}/${query}`)
      await waitForAll(page)
      expect(await page.evaluate('document.documentElement.scrollWidth'), query).toBeLessThanOrEqual(360)
    }
    const staff = await signIn('acme-research', 'super_admin', { query: `?org=${idOf('acme-research')}` })
    await staff.setViewportSize({ width: 360, height: 780 })
    await waitForAll(staff)
    expect(await staff.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
    // Hours are told as in the table, and the day as anywhere else.
    const labels = (await page.locator('.axis span').allTextContents()).filter((text) => text !== '')
    expect(labels.map((text) => text.replace(/\s/g, ' ')).slice(0, 3)).toEqual(['12 AM', '3 AM', '6 AM'])
    await page.getByRole('button', { name: `Hours of ${formatDate(day)}: show all again`, exact: true }).waitFor()
  })

  it.each(['light', 'dark', 'print'] as const)(
    'the limit and the step at it are both seen on the meter: %s',
    async (how) => {
      const page = await open().signIn('acme-research', 'admin')
      await page.locator('.meter .limit').waitFor(PATIENT)
      await page.emulateMedia(how === 'print' ? { media: 'print' } : { colorScheme: how })
      const [limit, step] = [page.locator('.meter .limit'), page.locator('.meter .mark.downgraded')]
      expect((await limit.boundingBox())?.x).toBe((await step.boundingBox())?.x)
      expect([await isSeen(limit), await isSeen(step)]).toEqual([true, true])
    },
  )

  it('bars of a cost say it to the last digit, and the labels of the axis are evenly apart', async () => {
    const { signIn, ledger, idOf } = open()
    const page = await signIn('acme-research', 'admin', { query: '?metric=cost' })
    await waitForAll(page)
    const told = await page.locator('.bar').evaluateAll((bars) => bars.map((bar) => bar.getAttribute('aria-label')))
    const costs = told.map((text) => /: \$([\d.,]+)/.exec(text ?? '')?.[1]?.replaceAll(',', '') ?? null)
    const { cost } = await ledger(`organization_id = '${idOf('acme-research')}'`)
    expect(sumMoney(costs)).toBe(cost)
    const labels = await page.locator('.tick span').allTextContents()
    const ticks = labels.map((text) => Number(text.replace(/[$,]/g, '')))
    ticks.forEach((tick, n) => {
      expect(tick).toBeCloseTo(n * (ticks[1] ?? 0), 9)
    })
    expect(new Set(labels).size).toBe(labels.length)
  })

  it('a file of usage has the columns of the table in their order, and nothing where that shows nothing', async () => {
    const page = await open().signIn('acme-research', 'admin', { query: '?by=token_kind' })
    await waitForAll(page)
    const usage = card(page, 'Usage')
    const kinds = await takeFile(usage, 'CSV')
    expect(kinds.split('\r\n')[0]).toBe('bucket,token_kind,tokens_used')
    expect(Object.keys(JSON.parse(await takeFile(usage, 'JSON'))[0])).toEqual(['bucket', 'token_kind', 'tokens_used'])
    const sum = readCsv(kinds).reduce((all, line) => all + BigInt(line.tokens_used ?? ''), 0n)
    expect(await total(page, 'tokens').textContent()).toBe(new Intl.NumberFormat('en').format(sum))
    expect(await usage.getByRole('button', { name: 'FOCUS' }).count()).toBe(0)

    await page.getByRole('button', { name: 'User', exact: true }).first().click()
    await usage.getByRole('button', { name: 'FOCUS' }).waitFor(PATIENT)
    await expect.poll(() => page.locator('.busy').count(), PATIENT).toBe(0)
    const lines = readCsv(await takeFile(usage, 'CSV'))
    expect(Object.keys(lines[0] ?? {}).slice(0, 7)).toEqual([
      ...['bucket', 'user_name', 'user_id', 'tokens_used', 'cost_usd', 'unpriced_events', 'message_count'],
    ])
    const costs = lines.map(({ cost_usd, unpriced_events }) =>
      cost_usd === '' || unpriced_events === '0'
        ? formatExactMoney(cost_usd || null)
        : `${formatExactMoney(cost_usd ?? null)} + ${unpriced_events} unpriced`,
    )
    expect(await columnOf(usage, 4)).toEqual(costs)
  })
}
