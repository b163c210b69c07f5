import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repoRoot, type StackFile } from '@tollgate/local-stack'
import { createTemporaryDir, startTestStack, type TemporaryDir } from '@tollgate/local-stack/testing'
import axe from 'axe-core'
import pg from 'pg'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { runDemo } from '../../cli/src/demo/run-demo.ts'
import { openBrowser } from './open-browser.ts'

// The real page in a real browser, on the real stack, after a replay of the real trace.
const REQUESTS = 3_000
let stack: Awaited<ReturnType<typeof startTestStack>>
let file: StackFile
let temporary: TemporaryDir
let sql: pg.Client
let browser: Browser
const pages: Page[] = []

beforeAll(async () => {
  stack = await startTestStack({ dashboard: true })
  file = stack.describe()
  temporary = createTemporaryDir()
  const windowFile = join(temporary.dir, 'demo.json')
  const { problems } = await runDemo({ stack: file, windowFile, requests: REQUESTS, fitLimits: true })
  expect(problems).toEqual([])
  sql = new pg.Client(stack.databaseUrl)
  await sql.connect()
  browser = await openBrowser()
}, 240_000)
afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close()
})
afterAll(async () => {
  await browser?.close()
  await sql?.end()
  await stack?.stop()
  await temporary?.remove()
})

const idOf = (domain: string): string => {
  const found = file.organizations.find((organization) => organization.domain === domain)
  if (!found) throw new Error(`no organization ${domain}`)
  return found.id
}

async function signIn(
  domain: string,
  role: string,
  query = '',
  colorScheme: 'light' | 'dark' = 'light',
): Promise<Page> {
  const user = file.users.find((one) => one.organization_id === idOf(domain) && one.role === role)
  if (!user || !file.dashboard) throw new Error('no such user, or no dashboard')
  // Only axe is kept out by the page's policy; the test of the policy itself looks at the header.
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, bypassCSP: true, colorScheme })
  const page = await context.newPage()
  pages.push(page)
  await page.goto(`${file.dashboard}/${query}`)
  await page.fill('input[name=email]', user.email)
  await page.fill('input[name=password]', user.password)
  await page.click('button[type=submit]')
  return page
}

async function ledger(where: string): Promise<{ tokens: string; cost: string; messages: string }> {
  const { rows } = await sql.query(
    `select to_char(sum(total_tokens), 'FM999,999,999,999') as tokens, sum(cost_usd)::text as cost,
       to_char(sum(message_count), 'FM999,999,999') as messages from tollgate.usage_events where ${where}`,
  )
  return rows[0]
}

const tile = (page: Page, name: string) => page.locator(`[data-tile=${name}]`)
const total = (page: Page, name: string) => page.locator(`[data-total=${name}]`)
const textOf = async (found: ReturnType<typeof total>) => (await found.textContent())?.trim()

describe('figures', () => {
  it("an admin's tiles and table equal the ledger, to the last digit", async () => {
    const page = await signIn('acme-research', 'admin')
    const { tokens, cost, messages } = await ledger(`organization_id = '${idOf('acme-research')}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), { timeout: 20_000 }).toBe(tokens)
    expect(await textOf(tile(page, 'message_count'))).toBe(messages)
    await expect.poll(() => textOf(total(page, 'tokens'))).toBe(tokens)
    expect(await textOf(total(page, 'cost'))).toBe(`$${cost.replace(/0+$/, '')}`)
    expect(await page.locator('tbody', { hasText: 'acme-internal-llm' }).first().textContent()).toContain('unpriced')
  })

  it('a user sees the own usage alone, and neither limits nor decisions', async () => {
    const page = await signIn('acme-research', 'user')
    const user = file.users.find(({ email }) => email === 'ada@acme-research.example')
    const { tokens } = await ledger(`user_id = '${user?.id}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), { timeout: 20_000 }).toBe(tokens)
    expect(await page.getByRole('heading', { name: 'Limits' }).count()).toBe(0)
    expect(await page.getByRole('heading', { name: 'Enforcement' }).count()).toBe(0)
  })

  it("another organization's id in the address shows nothing", async () => {
    const page = await signIn('acme-research', 'admin', `?org=${idOf('borealis-labs')}`)
    await page.getByText('There is nothing here that you may see.').waitFor()
    expect(await page.locator('[data-tile]').count()).toBe(0)
  })

  it('super_admin finds every organization in a list and opens each', async () => {
    const page = await signIn('acme-research', 'super_admin')
    await page.getByRole('button', { name: 'Borealis Labs' }).click()
    const { tokens } = await ledger(`organization_id = '${idOf('borealis-labs')}'`)
    await expect.poll(() => textOf(tile(page, 'tokens_used')), { timeout: 20_000 }).toBe(tokens)
    expect(new URL(page.url()).searchParams.get('org')).toBe(idOf('borealis-labs'))
  })
})

describe('habits', () => {
  it('filters stand in the address, the back button undoes them, a reload keeps them', async () => {
    const page = await signIn('acme-research', 'admin')
    await page.getByRole('button', { name: 'Cost', exact: true }).first().click()
    await page.getByRole('button', { name: 'User', exact: true }).first().click()
    expect(new URL(page.url()).search).toBe('?metric=cost&by=user')
    await page.getByRole('rowheader').first().waitFor()
    await expect.poll(() => page.locator('[data-table=usage] tbody').textContent()).toContain('Bruno Keller')
    await page.reload()
    await expect.poll(() => page.locator('[data-table=usage] tbody').textContent()).toContain('Bruno Keller')
    await page.goBack()
    expect(new URL(page.url()).search).toBe('?metric=cost')
    await expect.poll(() => page.locator('[data-table=usage] tbody').textContent()).toContain('gpt-4o')
  })

  it('a click on a day opens its hours, with the same total', async () => {
    const page = await signIn('acme-research', 'admin')
    const bar = page.locator('.bar', { has: page.locator('i') }).first()
    await bar.waitFor({ timeout: 20_000 })
    const before = await textOf(total(page, 'tokens'))
    await bar.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /Usage of/ }).waitFor()
    await expect.poll(() => page.locator('.bar').count()).toBe(24)
    await expect.poll(() => textOf(total(page, 'tokens'))).toBe(before)
  })

  it('the export holds exactly what is shown, and adds up', async () => {
    const page = await signIn('acme-research', 'admin')
    await page.getByRole('button', { name: 'CSV' }).waitFor({ timeout: 20_000 })
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'CSV' }).click(),
    ])
    const [head = '', ...lines] = readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\r\n')
    const column = head.split(',').indexOf('tokens_used')
    const sum = lines.reduce((all, line) => all + BigInt(line.split(',')[column] ?? 0), 0n)
    expect(new Intl.NumberFormat('en').format(sum)).toBe(await textOf(total(page, 'tokens')))
    expect(lines).toHaveLength(await page.locator('[data-table=usage] tbody tr').count())
  })

  it.each(['light', 'dark'] as const)('axe finds no serious violation in %s', async (scheme) => {
    const page = await signIn('acme-research', 'admin', '', scheme)
    await page.getByRole('button', { name: 'CSV' }).waitFor({ timeout: 20_000 })
    await page.evaluate(axe.source)
    const violations = await page.evaluate(async () => {
      const page = globalThis as unknown as { axe: typeof axe }
      return (await page.axe.run()).violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0]?.html }))
    })
    expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([])
    const pictures = process.env.DASHBOARD_PICTURES
    if (pictures) {
      mkdirSync(join(repoRoot, pictures), { recursive: true })
      await page.screenshot({ path: join(repoRoot, pictures, `dashboard-${scheme}.png`), fullPage: false })
    }
  })

  it('the page may talk to its two servers and run its own script alone', async () => {
    const answer = await fetch(`${file.dashboard}/`)
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self'")
    expect(policy).not.toContain('unsafe-inline')
  })
})

describe('limits', () => {
  const isRevoked = async (): Promise<boolean> => {
    const { rows } = await sql.query('select state from tollgate.enforcement_states where organization_id = $1', [
      idOf('cobalt-support'),
    ])
    return rows[0]?.state === 'revoked'
  }

  async function setLimit(page: Page, limit: number): Promise<void> {
    page.on('dialog', (dialog) => void dialog.accept())
    await page.fill('input[name=limit]', String(limit))
    await page.getByRole('button', { name: 'Set limit' }).click()
  }

  it("an organization's own admin cannot raise the limit; super_admin does, and access comes back while one watches", async () => {
    const organization = idOf('cobalt-support')
    await fetch(`${file.tokenApi}/v1/organizations/${organization}/quota`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${file.operatorKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ limit: 1_000 }),
    })
    await expect.poll(isRevoked, { timeout: 20_000 }).toBe(true)

    const admin = await signIn('cobalt-support', 'admin')
    await admin.locator('.state.revoked').first().waitFor({ timeout: 20_000 })
    await setLimit(admin, 900_000_000)
    await admin.getByRole('alert').waitFor()
    expect(await isRevoked()).toBe(true)

    const staff = await signIn('acme-research', 'super_admin', `?org=${organization}`)
    await staff.locator('.state.revoked').first().waitFor({ timeout: 20_000 })
    await setLimit(staff, 900_000_000)
    await admin.locator('.quota-line .state.active').waitFor({ timeout: 20_000 })
    expect(await isRevoked()).toBe(false)
  })
})
