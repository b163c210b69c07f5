import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { card, confirmChange, type Dashboard } from './open-dashboard.ts'

const PATIENT = { timeout: 20_000 }

async function setLimit(page: Page, limit: string): Promise<void> {
  await page.fill('input[name=limit]', limit)
  await page.getByRole('button', { name: 'Set limit' }).click()
  await confirmChange(page)
}

/** What may be changed on the page, by whom, and what the database says then. */
export function describeChanges(open: () => Dashboard): void {
  const stateOf = async (domain: string): Promise<string | undefined> => {
    const { sql, idOf } = open()
    const { rows } = await sql.query('select state from tollgate.enforcement_states where organization_id = $1', [
      idOf(domain),
    ])
    return rows[0]?.state
  }

  it("an organization's own admin cannot raise the limit; super_admin does, and access comes back while one watches", async () => {
    const { file, idOf, signIn } = open()
    const organization = idOf('cobalt-support')
    await fetch(`${file.tokenApi}/v1/organizations/${organization}/quota`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${file.operatorKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ limit: 1_000 }),
    })
    await expect.poll(() => stateOf('cobalt-support'), PATIENT).toBe('revoked')

    const admin = await signIn('cobalt-support', 'admin')
    await admin.locator('.state.revoked').first().waitFor(PATIENT)
    await setLimit(admin, '900,000,000')
    await admin.getByRole('alert').waitFor()
    expect(await stateOf('cobalt-support')).toBe('revoked')

    const staff = await signIn('acme-research', 'super_admin', { query: `?org=${organization}` })
    await staff.locator('.state.revoked').first().waitFor(PATIENT)
    await setLimit(staff, '900,000,000')
    await admin.locator('.quota-line .state.active').waitFor(PATIENT)
    expect(await stateOf('cobalt-support')).toBe('active')
  })

  it('a question that is answered with no changes nothing, from the keyboard too', async () => {
    const { sql, idOf, signIn } = open()
    const page = await signIn('acme-research', 'super_admin', { query: `?org=${idOf('acme-research')}` })
    await page.locator('input[name=limit]').waitFor(PATIENT)
    await page.fill('input[name=limit]', '1')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Enter') // Cancel has the focus
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    const { rows } = await sql.query(
      'select base_limit_tokens::text as "limit" from tollgate.quota_inputs where organization_id = $1',
      [idOf('acme-research')],
    )
    expect(rows[0].limit).not.toBe('1')
  })

  it("an admin gives a user an own limit, and what is typed survives the page's refreshes", async () => {
    const { sql, file, signIn } = open()
    const page = await signIn('acme-research', 'admin')
    await page.getByRole('button', { name: 'Change the limit of Ada Meyer' }).click(PATIENT)
    const answered = page.waitForResponse((answer) => answer.url().includes('report_user_limits'), PATIENT)
    await page.fill('input[name=user-limit]', '123_456_789')
    await answered
    await page.getByRole('button', { name: 'Set', exact: true }).click()
    await confirmChange(page)
    await card(page, 'Limits of users').getByText('123,456,789', { exact: true }).waitFor(PATIENT)
    const ada = file.users.find(({ email }) => email.startsWith('ada@'))?.id
    const { rows } = await sql.query('select max_tokens::text from tollgate.user_quotas where user_id = $1', [ada])
    expect(rows).toEqual([{ max_tokens: '123456789' }])
  })

  it('super_admin changes the policy; an own admin sees it and cannot', async () => {
    const { sql, idOf, signIn } = open()
    const organization = idOf('borealis-labs')
    const limitOf = async () =>
      (
        await sql.query(
          `select i.base_limit_tokens, coalesce(q.sets_limit, false) as is_own from tollgate.quota_inputs i
           left join tollgate.quota_policies q using (organization_id) where organization_id = $1`,
          [organization],
        )
      ).rows
    const limitBefore = await limitOf()
    const staff = await signIn('acme-research', 'super_admin', { query: `?org=${organization}` })
    await staff.getByRole('button', { name: 'Change policy' }).click(PATIENT)
    await staff.getByRole('button', { name: 'Add a step' }).click()
    const step = staff.getByRole('group', { name: 'Step', exact: true }).last()
    // Half a percent is refused in the form: it must not become a step ten times as high.
    await step.locator('input[name=amount]').fill('99.5')
    await staff.getByRole('button', { name: 'Put into force' }).click()
    expect(await step.locator('input[name=amount]:invalid').count()).toBe(1)
    expect(await staff.getByRole('dialog').count()).toBe(0)
    await step.locator('input[name=amount]').fill('750.5')
    await step.locator('select[name=kind]').selectOption('at_usd')
    await step.locator('select[name=mode]').selectOption('soft')
    await staff.fill('input[name=max_cost_usd]', '1000')
    await staff.getByRole('button', { name: 'Put into force' }).click()
    await staff.getByRole('dialog').getByText('From $750.50: warned, only recorded and notified').waitFor(PATIENT)
    await confirmChange(staff)
    await card(staff, 'Policy').getByText('From $750.50').waitFor(PATIENT)
    const { rows } = await sql.query('select policy from tollgate.quota_policies where organization_id = $1', [
      organization,
    ])
    expect(rows[0].policy.steps.at(-1)).toEqual({ at_usd: '750.5', state: 'warned', mode: 'soft' })
    expect(rows[0].policy).toMatchObject({ max_cost_usd: '1000', session_max_tokens: null })
    expect(await limitOf()).toEqual(limitBefore)

    const admin = await signIn('borealis-labs', 'admin')
    await card(admin, 'Policy').getByText('From $750.50').waitFor(PATIENT)
    expect(await admin.getByRole('button', { name: 'Change policy' }).count()).toBe(0)
  })

  it('a notification that does not arrive is seen with its reason', async () => {
    const { file, idOf, signIn } = open()
    const organization = idOf('acme-research')
    const post = (path: string, body: object) =>
      fetch(`${file.tokenApi}/v1/organizations/${organization}/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${file.operatorKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const url = 'https://hooks.invalid/tollgate'
    expect((await post('webhooks', { url, types: ['quota.granted'] })).status).toBe(201)
    const grant = { amount: 1_000, reason: 'test', idempotency_key: 'webhook-card' }
    expect((await post('grants', grant)).status).toBeLessThan(300)
    const page = await signIn('acme-research', 'admin')
    const row = card(page, 'Webhook deliveries').getByRole('row', { name: /quota\.granted/ })
    await row.getByText(url).waitFor(PATIENT)
    await expect.poll(() => row.locator('td').nth(4).textContent(), PATIENT).not.toBe('–')
  })
}
