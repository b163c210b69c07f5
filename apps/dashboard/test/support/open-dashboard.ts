import { join } from 'node:path'
import type { StackFile } from '@tollgate/local-stack'
import { openBrowser } from '@tollgate/local-stack/browser'
import { createTemporaryDir, startTestStack } from '@tollgate/local-stack/testing'
import pg from 'pg'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { runDemo } from '../../../cli/src/demo/run-demo.ts'

/** The real page in a real browser, on the real stack, after a replay of the real trace over three weeks. */
export interface Dashboard {
  readonly file: StackFile
  readonly sql: pg.Client
  readonly idOf: (domain: string) => string
  /** The first user of an organization. */
  readonly userOf: (domain: string) => string
  /** Records usage as an import may bring it; what an event does not say is the same for all. */
  readonly ingest: (events: readonly object[]) => Promise<void>
  /** A page of a user's own, signed in. */
  readonly signIn: (domain: string, role: string, options?: SignInOptions) => Promise<Page>
  /** What the ledger says, as the page shows it. */
  readonly ledger: (where: string) => Promise<{ tokens: string; cost: string; messages: string }>
  readonly closePages: () => Promise<void>
  readonly close: () => Promise<void>
}

interface SignInOptions {
  /** Of the address. */
  readonly query?: string
  /** Done to the page before it is opened. */
  readonly prepare?: (page: Page) => Promise<unknown>
}

const REQUESTS = 3_000
const USAGE = {
  ...{ type: 'usage.recorded', member: true, session_id: 's', model: 'gpt-4o', output_tokens: 10, message_count: 1 },
  ...{ cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_output_tokens: 0 },
}

/** Starts everything. */
export async function openDashboard(): Promise<Dashboard> {
  const stack = await startTestStack({ dashboard: true })
  const file = stack.describe()
  const temporary = createTemporaryDir()
  const windowFile = join(temporary.dir, 'demo.json')
  const { problems } = await runDemo({ stack: file, windowFile, requests: REQUESTS, fitLimits: true, days: 20 })
  expect(problems).toEqual([])
  const sql = new pg.Client(stack.databaseUrl)
  await sql.connect()
  const browser = await openBrowser()
  const pages: Page[] = []
  // Each user signs in once; later pages are new tabs of the same browser, which has the page's script already.
  const signedIn = new Map<string, BrowserContext>()
  const idOf = (domain: string): string => {
    const found = file.organizations.find((organization) => organization.domain === domain)
    return found?.id ?? expect.fail(`no organization ${domain}`)
  }
  return {
    ...{ file, sql, idOf },
    userOf: (domain) =>
      file.users.find((one) => one.organization_id === idOf(domain))?.id ?? expect.fail(`nobody at ${domain}`),
    ingest: async (some) => {
      const now = new Date().toISOString()
      const events = some.map((event) => ({ ...USAGE, time: now, received_at: now, ...event }))
      await sql.query('select public.ingest_usage($1)', [JSON.stringify({ events })])
    },
    signIn: async (domain, role, { query = '', prepare } = {}) => {
      const user = file.users.find((one) => one.organization_id === idOf(domain) && one.role === role)
      if (!user || !file.dashboard) throw new Error('no such user, or no dashboard')
      // Only axe is kept out by the page's policy; the test of the policy itself looks at the header.
      const viewport = { width: 1200, height: 1000 }
      const known = signedIn.get(user.email)
      const context = known ?? (await browser.newContext({ viewport, bypassCSP: true }))
      const page = await context.newPage()
      pages.push(page)
      await prepare?.(page)
      await page.goto(`${file.dashboard}/${query}`)
      if (known) return page
      await page.fill('input[name=email]', user.email)
      await page.fill('input[name=password]', user.password)
      await page.click('button[type=submit]')
      await page.getByRole('button', { name: 'Sign out' }).waitFor({ timeout: 20_000 })
      signedIn.set(user.email, context)
      return page
    },
    ledger: async (where) => {
      const { rows } = await sql.query(
        `select to_char(sum(total_tokens), 'FM999,999,999,999') as tokens, trim_scale(sum(cost_usd))::text as cost,
           to_char(sum(message_count), 'FM999,999,999') as messages from tollgate.usage_events where ${where}`,
      )
      return rows[0]
    },
    closePages: async () => {
      for (const page of pages.splice(0)) await page.close()
    },
    close: async () => {
      await browser.close()
      await sql.end()
      await stack.stop()
      await temporary.remove()
    },
  }
}

/** Text of an element, without what surrounds it. */
export const textOf = async (found: Locator): Promise<string | undefined> => (await found.textContent())?.trim()
export const tile = (page: Page, name: string): Locator => page.locator(`[data-tile=${name}]`)
export const total = (page: Page, name: string): Locator => page.locator(`[data-total=${name}]`)
export const card = (page: Page, name: string): Locator => page.getByRole('region', { name, exact: true })

/** Answers the question that a change asks first. */
export async function confirmChange(page: Page): Promise<void> {
  await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click()
}
