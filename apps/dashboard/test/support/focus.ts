import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { card, confirmChange, type Dashboard } from './open-dashboard.ts'

const PATIENT = { timeout: 20_000 }

/** What has the keyboard's focus, by its label or name, a button by its text too. */
export const focusOf = (page: Page): Promise<string> =>
  page.evaluate(
    `(({ ariaLabel, name, tagName, textContent }) =>
      name || ariaLabel || (tagName === 'BUTTON' ? textContent.trim() : tagName))(document.activeElement)`,
  )

/** The classes that colour each group of the chart, by its name. */
const looksOf = async (page: Page): Promise<Record<string, string>> =>
  Object.fromEntries(
    await page
      .locator('.chart .legend span:has(i)')
      .evaluateAll((all) => all.map((one) => [one.textContent?.trim(), one.firstElementChild?.className])),
  )

/** Where the keyboard is after what it was at is gone, and what a colour means then. */
export function describeFocus(open: () => Dashboard): void {
  it('a keyboard goes from a day into its hours and back, and each model keeps its colour, of tokens and of cost', async () => {
    const page = await open().signIn('acme-research', 'admin')
    const days = page.locator('.bar', { has: page.locator('i') })
    await days.first().waitFor(PATIENT)
    // One in the midst: around midnight the first or the last has a few minutes of the trace, and one model.
    const bar = days.nth(Math.floor(((await days.count()) - 1) / 2))
    const label = await bar.getAttribute('aria-label')
    const ofMonth = await looksOf(page)
    await bar.focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('.bar').count(), PATIENT).toBe(24)
    expect(await focusOf(page)).toMatch(/^Hours of .*: show all again$/)
    const ofDay = await looksOf(page)
    await page.keyboard.press('Enter')
    await expect.poll(() => focusOf(page), PATIENT).toBe(label)
    expect(await looksOf(page)).toEqual(ofMonth)
    await page.getByRole('button', { name: 'Cost', exact: true }).first().click()
    await page.getByRole('figure', { name: 'Usage over time, cost' }).waitFor(PATIENT)
    for (const looks of [ofDay, await looksOf(page)]) {
      expect(Object.keys(looks).length).toBeGreaterThan(1)
      expect(ofMonth).toMatchObject(looks)
    }

    // A month opens its days, and there is no chip: the chart's heading has the focus then.
    await page.getByLabel('Span').selectOption('last-12-months')
    await expect.poll(() => page.locator('.bar').count(), PATIENT).toBeLessThan(14)
    await page
      .locator('.bar', { has: page.locator('i') })
      .last()
      .press('Enter')
    await expect.poll(() => page.locator('.bar').count(), PATIENT).toBeGreaterThan(27)
    expect(await focusOf(page)).toBe('H2')
  })

  it("a keyboard is in the field that takes a button's place, and at the button when that is over", async () => {
    const page = await open().signIn('cobalt-support', 'admin')
    const users = card(page, 'Limits of users')
    const change = users.getByRole('button', { name: /^Change the limit of/ }).first()
    await change.waitFor(PATIENT)
    const label = await change.getAttribute('aria-label')
    const row = users.locator('tbody tr').first()
    await change.press('Enter')
    expect(await focusOf(page)).toBe('user-limit')
    await row.getByRole('button', { name: 'Cancel' }).press('Enter')
    expect(await focusOf(page)).toBe(label)

    // What the limit does at once is said before it does it.
    await page.keyboard.press('Enter')
    await page.keyboard.type('1')
    await page.keyboard.press('Enter')
    const told = / has used [\d.]+[KMB]? LLM tokens already: by the policy access will be revoked at once\./
    await page.getByRole('dialog').getByText(told).waitFor()
    await page.keyboard.press('Enter') // Cancel has the focus
    await expect.poll(() => focusOf(page)).toBe('user-limit')
    await page.fill('input[name=user-limit]', '700,000,000')
    await page.keyboard.press('Enter')
    await confirmChange(page)
    await row.getByText('700,000,000', { exact: true }).waitFor(PATIENT)
    expect(await focusOf(page)).toBe(label)

    await users.getByRole('button', { name: 'Change the default' }).click()
    await users.getByLabel(/^Limit of each user/).fill('2')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText(told).waitFor()
  })
}
