import { DEFAULT_QUOTA_POLICY } from '@tollgate/shared/contracts'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { formatTime } from '../../src/figures/format.ts'
import { readCsv, separated, takeFile } from './files.ts'
import { focusOf } from './focus.ts'
import { card, confirmChange, type Dashboard, textOf } from './open-dashboard.ts'
import { monthsAgo } from './statements.ts'

const PATIENT = { timeout: 20_000 }

/** What a browser knows of a field. */
interface Typed {
  readonly validationMessage: string
  readonly setCustomValidity: (message: string) => void
}

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
    await admin.fill('input[name=limit]', '900,000,000')
    await admin.getByRole('button', { name: 'Set limit' }).click()
    const typed = admin.locator('input[name=limit]')
    expect(await typed.evaluate((input) => (input as unknown as Typed).validationMessage)).toMatch(/^At most 1,000: /)
    expect(await admin.getByRole('dialog').count()).toBe(0)
    await admin.fill('input[name=limit]', '500')
    await admin.getByRole('button', { name: 'Set limit' }).click()
    const question = await textOf(admin.getByRole('dialog').locator('p'))
    expect(question).toMatch(
      / LLM tokens already: by the policy access stays revoked\. Only the platform’s staff can raise/,
    )
    await admin.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await admin.fill('input[name=limit]', '900,000,000')
    // Whoever passes the form by is refused all the same.
    await typed.evaluate((input) => (input as unknown as Typed).setCustomValidity(''))
    await admin.getByRole('button', { name: 'Set limit' }).click()
    await confirmChange(admin)
    await admin.getByRole('alert').filter({ hasText: 'admin may lower its limit' }).waitFor()
    expect(await stateOf('cobalt-support')).toBe('revoked')

    const staff = await signIn('acme-research', 'super_admin', { query: `?org=${organization}` })
    await staff.locator('.state.revoked').first().waitFor(PATIENT)
    await setLimit(staff, '900,000,000')
    await admin.locator('.quota-line .state.active').waitFor(PATIENT)
    expect(await stateOf('cobalt-support')).toBe('active')

    // The log says what each decision was decided from, to a keyboard too.
    const { rows } = await open().sql.query(
      `select id, inputs from tollgate.quota_decisions where organization_id = $1 and to_state = 'revoked'
       order by seq desc limit 1`,
      [organization],
    )
    const { id, inputs } = rows[0]
    const decision = admin.getByRole('button', { name: `What decision ${id.slice(0, 8)} was decided from` })
    await decision.focus()
    await admin.keyboard.press('Enter')
    expect(await decision.getAttribute('aria-expanded')).toBe('true')
    const details = admin.locator(`#decision-${id} dl > div`)
    const told = Object.fromEntries(
      await details.evaluateAll((pairs) => pairs.map((pair) => [...pair.children].map((part) => part.textContent))),
    )
    expect(told).toMatchObject({
      ...{ 'LLM tokens of the ledger': separated(inputs.used_tokens), Limit: '1,000', Decision: id },
      ...{ Reserved: separated(inputs.reserved_tokens), Granted: '0', 'Policy version': inputs.policy_version },
      'Age of the figures': expect.stringMatching(/^[\d.,]+ sec$/),
    })
    await admin.keyboard.press('Enter')
    expect(await details.count()).toBe(0)
  })

  it('a question that is answered with no changes nothing, from the keyboard too', async () => {
    const { sql, file, idOf, signIn } = open()
    const page = await signIn('acme-research', 'super_admin', { query: `?org=${idOf('acme-research')}` })
    await page.locator('input[name=limit]').waitFor(PATIENT)
    await page.fill('input[name=limit]', '1')
    await page.keyboard.press('Enter')
    // It says what comes of it, whoever is asked.
    const dialog = page.getByRole('dialog')
    await dialog
      .getByText(/ has used [\d.]+[KMB] LLM tokens already: by the policy access will be revoked at once\./)
      .waitFor()
    expect(await dialog.getByText('Only the platform’s staff').count()).toBe(0)
    await page.keyboard.press('Enter') // Cancel has the focus
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    const { rows } = await sql.query(
      'select base_limit_tokens::text as "limit" from tollgate.quota_inputs where organization_id = $1',
      [idOf('acme-research')],
    )
    expect(rows[0].limit).not.toBe('1')

    // The same staff grants something: it is listed with what it has left and who gave it, when it was confirmed.
    const grants = card(page, 'Grants')
    await grants.getByLabel('Grant LLM tokens').fill('5,000')
    await grants.getByLabel('Reason').fill('a good cause')
    await grants.getByLabel('Priority').fill('7')
    await grants.getByRole('button', { name: 'Grant', exact: true }).click()
    const periodEnd = formatTime(`${monthsAgo(-1, 1)}T00:00:00Z`, 'UTC')
    await page.getByRole('dialog').getByText(`5,000 LLM tokens, valid until ${periodEnd}`).waitFor()
    await confirmChange(page)
    const row = grants.getByRole('row', { name: /a good cause/ })
    await row.waitFor(PATIENT)
    // Nothing stands there that another click would grant again.
    await expect.poll(() => grants.getByLabel('Grant LLM tokens').inputValue(), PATIENT).toBe('')
    expect(await grants.getByLabel('Reason').inputValue()).toBe('')
    expect(await grants.getByLabel('Priority').inputValue()).toBe('100')
    const cells = await row.locator('td').allTextContents()
    const told = ['5,000', '0', '7', periodEnd, 'a good cause', 'Petra Ostrom']
    expect(cells).toEqual(['open', '5,000', ...told, 'Void'])
    await page.locator('.quota-line').getByText('5,000 of them granted').waitFor(PATIENT)

    // And takes it back, with a reason.
    const revoke = grants.getByRole('button', { name: 'Void the grant “a good cause”' })
    await revoke.press('Enter')
    expect(await focusOf(page)).toBe('void-reason')
    await grants.getByRole('button', { name: 'Keep it' }).press('Enter')
    expect(await focusOf(page)).toBe('Void the grant “a good cause”')
    await page.keyboard.press('Enter')
    await grants.getByLabel('Why “a good cause” is voided').fill('a mistake')
    await grants.getByRole('button', { name: 'Void it' }).click()
    await page.getByRole('dialog').getByText('now 5,000 LLM tokens').waitFor()
    await confirmChange(page)
    await row.getByText('voided', { exact: true }).waitFor(PATIENT)
    expect(await focusOf(page)).toBe('H2')
    const over = ['voided', '5,000', '–', '0', '7', periodEnd]
    const why = 'a good cause Voided by Petra Ostrom: a mistake'
    expect(await row.locator('td').allTextContents()).toEqual([...over, why, 'Petra Ostrom', ''])
    const petra = file.users.find(({ role }) => role === 'super_admin')?.id
    const lines = readCsv(await takeFile(grants, 'CSV'))
    expect(lines.find(({ reason }) => reason === 'a good cause')).toMatchObject({
      ...{ void_reason: 'a mistake', voided_by: `user:${petra}`, voided_by_name: 'Petra Ostrom' },
    })
    await page
      .locator('.quota-line')
      .getByText('granted')
      .waitFor({ state: 'detached', ...PATIENT })
  })

  it("an admin gives a user an own limit, and what is typed survives the page's refreshes", async () => {
    const { sql, file, idOf, signIn } = open()
    const page = await signIn('acme-research', 'admin')
    await page.getByRole('button', { name: 'Change the limit of Ada Meyer' }).click(PATIENT)
    const answered = page.waitForResponse((answer) => answer.url().includes('report_user_limits'), PATIENT)
    await page.fill('input[name=user-limit]', '123_456_789')
    // As whoever comes back to the page: it asks at once, instead of in five seconds.
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`)
    await answered
    await page.getByRole('button', { name: 'Set', exact: true }).click()
    await confirmChange(page)
    await card(page, 'Limits of users').getByText('123,456,789', { exact: true }).waitFor(PATIENT)
    const ada = file.users.find(({ email }) => email.startsWith('ada@'))?.id
    const { rows } = await sql.query('select max_tokens::text from tollgate.user_quotas where user_id = $1', [ada])
    expect(rows).toEqual([{ max_tokens: '123456789' }])

    // The default for all others, and the ladder that their limits are measured against.
    const users = card(page, 'Limits of users')
    await users.getByRole('button', { name: 'Change the default' }).click()
    await users.getByLabel(/^Limit of each user/).fill('900,000,000')
    await users.getByRole('button', { name: 'Set the default' }).click()
    await confirmChange(page)
    await users
      .getByRole('row', { name: /Bruno Keller/ })
      .getByText('900,000,000 (default)')
      .waitFor(PATIENT)
    await users.getByText('Users without an own limit: 900,000,000').waitFor(PATIENT)
    await users.getByRole('button', { name: 'Change its ladder' }).click()
    const step = users.getByRole('group', { name: 'Step', exact: true }).last()
    await step.locator('select[name=mode]').selectOption('soft')
    await users.getByRole('button', { name: 'Put into force' }).click()
    await confirmChange(page)
    await users.getByText('only recorded and notified').waitFor(PATIENT)
    const organization = idOf('acme-research')
    const held = await sql.query(
      `select max_tokens::text, policy -> 'steps' -> 4 as last from tollgate.user_quota_defaults where organization_id = $1`,
      [organization],
    )
    const last = { at_percent: 120, state: 'revoked', mode: 'soft' }
    expect(held.rows).toEqual([{ max_tokens: '900000000', last }])
    await users.getByRole('button', { name: 'Back to the default ladder' }).click()
    await confirmChange(page)
    await users.getByText('only recorded and notified').waitFor({ ...PATIENT, state: 'detached' })
    await users.getByRole('button', { name: 'Change the limit of Ada Meyer' }).click()
    await users.getByRole('button', { name: 'Back to the default', exact: true }).click()
    await confirmChange(page)
    await users
      .getByRole('row', { name: /Ada Meyer/ })
      .getByText('900,000,000 (default)')
      .waitFor(PATIENT)
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
    const change = staff.getByRole('button', { name: 'Change policy' })
    await change.press('Enter', PATIENT)
    expect(await focusOf(staff)).toBe('amount')
    await card(staff, 'Policy').getByRole('button', { name: 'Cancel' }).press('Enter')
    expect(await focusOf(staff)).toBe('Change policy')
    await staff.keyboard.press('Enter')
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
    // What the downgrade at 100 % leaves gets a name of its own.
    await staff.getByRole('button', { name: 'Add a named config' }).click()
    const config = staff.getByRole('group', { name: /^Named config/ })
    await config.getByLabel('Name').fill('small models')
    await config.getByLabel(/^Models that stay/).fill('gpt-4o-mini')
    await config.getByLabel(/^Endpoints that stay/).fill('openAI')
    await config.getByLabel('voice chat').check()
    const downgrade = staff.getByRole('group', { name: 'Step', exact: true }).nth(3)
    await downgrade.getByLabel('Leaves').selectOption({ label: 'small models' })
    await staff.getByRole('button', { name: 'Put into force' }).click()
    await staff.getByRole('dialog').getByText('downgraded, leaves “small models”').waitFor(PATIENT)
    await staff.getByRole('dialog').getByText('From $750.50: warned, only recorded and notified').waitFor(PATIENT)
    const consequence = /With [\d.]+[KMB]? LLM tokens used .+ (stays|becomes|has full access again)/
    await staff.getByRole('dialog').getByText(consequence).waitFor(PATIENT)
    await confirmChange(staff)
    await card(staff, 'Policy').getByText('From $750.50').waitFor(PATIENT)
    const { rows } = await sql.query('select policy from tollgate.quota_policies where organization_id = $1', [
      organization,
    ])
    expect(rows[0].policy.steps.at(-1)).toEqual({ at_usd: '750.5', state: 'warned', mode: 'soft' })
    const reduced = { enabled_models: ['gpt-4o-mini'], allowed_endpoints: ['openAI'], features: { voice_chat: false } }
    expect(rows[0].policy).toMatchObject({
      ...{ max_cost_usd: '1000', session_max_tokens: null, downgrade_to: DEFAULT_QUOTA_POLICY.downgrade_to },
      reduced_configs: { 'small models': reduced },
    })
    expect(rows[0].policy.steps[3]).toEqual({ at_percent: 100, state: 'downgraded', downgrade_to: 'small models' })
    expect(await limitOf()).toEqual(limitBefore)

    const admin = await signIn('borealis-labs', 'admin')
    await card(admin, 'Policy').getByText('From $750.50').waitFor(PATIENT)
    expect(await admin.getByRole('button', { name: 'Change policy' }).count()).toBe(0)
  })
}
