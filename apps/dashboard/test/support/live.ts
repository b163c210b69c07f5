import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { card, confirmChange, type Dashboard, textOf, tile } from './open-dashboard.ts'

const PATIENT = { timeout: 20_000 }

/** Has the page look for Realtime: the stack's Supabase has none, and its page is told so. */
const seekRealtime = (page: Page): Promise<unknown> =>
  page.route('**/config.json', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, json: { ...(await answer.json()), realtime: true } })
  })

/** Stands in for Supabase Realtime's socket (Phoenix channels, version 2): lets everybody join and passes what is announced. */
async function offerRealtime(page: Page): Promise<{ readonly topics: string[]; announce(): void }> {
  await seekRealtime(page)
  const topics: string[] = []
  const senders: (() => void)[] = []
  await page.routeWebSocket(/realtime\/v1\/websocket/, (socket) => {
    socket.onMessage((text) => {
      const [join, ref, topic, event] = JSON.parse(String(text)) as [string | null, string, string, string]
      socket.send(JSON.stringify([join, ref, topic, 'phx_reply', { status: 'ok', response: {} }]))
      if (event !== 'phx_join') return
      topics.push(topic)
      const message = { type: 'broadcast', event: 'changed', payload: {} }
      senders.push(() => socket.send(JSON.stringify([null, null, topic, 'broadcast', message])))
    })
  })
  return { topics, announce: () => senders.at(-1)?.() }
}

/** What keeps an open page fresh: announcements where there are any, asking where there are none. */
export function describeLive(open: () => Dashboard): void {
  let turn = 0
  async function useTokens(): Promise<string> {
    const { ingest, idOf, userOf, ledger } = open()
    const organization = idOf('acme-research')
    const event = { source: 'live', id: `event-${turn++}`, organization_id: organization, input_tokens: 1_000 }
    await ingest([{ ...event, user_id: userOf('acme-research') }])
    return (await ledger(`organization_id = '${organization}'`)).tokens
  }

  it('without Realtime new usage is on the page within seconds, nobody touching it', async () => {
    const complaints: string[] = []
    const page = await open().signIn('acme-research', 'admin', {
      prepare: async (page) => {
        page.on('console', (message) => {
          if (message.type() === 'error') complaints.push(message.text())
        })
      },
    })
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toMatch(/\d/)
    const tokens = await useTokens()
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    // Nothing is tried that cannot be had.
    expect(complaints).toEqual([])
  })

  it('refused by Realtime the page asks by itself, and tries it again a quarter of an hour later', async () => {
    let tries = 0
    const page = await open().signIn('acme-research', 'admin', {
      prepare: async (page) => {
        await page.clock.install()
        await seekRealtime(page)
        await page.routeWebSocket(/realtime\/v1\/websocket/, async (socket) => {
          tries++
          await socket.close()
        })
      },
    })
    await expect.poll(() => tries, PATIENT).toBe(1)
    await page.clock.fastForward('10:00')
    const tokens = await useTokens()
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    expect(tries).toBe(1)
    await page.clock.fastForward('06:00')
    await expect.poll(() => tries, PATIENT).toBe(2)
  })

  it('with Realtime the page listens to its organization, asks seldom, and at once when something is announced', async () => {
    let realtime: Awaited<ReturnType<typeof offerRealtime>> | undefined
    const page = await open().signIn('acme-research', 'admin', {
      prepare: async (page) => {
        realtime = await offerRealtime(page)
      },
    })
    await expect.poll(() => realtime?.topics, PATIENT).toEqual([`realtime:tollgate:${open().idOf('acme-research')}`])
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toMatch(/\d/)
    await page.waitForLoadState('networkidle')
    const tokens = await useTokens()
    let asked = 0
    page.on('request', (request) => {
      if (request.url().includes('report_summary')) asked++
    })
    // Longer than the interval of a page that hears nothing.
    await page.waitForTimeout(6_500)
    expect(asked).toBe(0)
    realtime?.announce()
    await expect.poll(() => textOf(tile(page, 'tokens_used')), { timeout: 4_000 }).toBe(tokens)

    // Chromium shows every page of a test; what the page itself sees of it is set.
    const beSeen = (how: 'hidden' | 'visible') =>
      page.evaluate(
        `Object.defineProperty(document, 'visibilityState', { value: '${how}', configurable: true })
         document.dispatchEvent(new Event('visibilitychange'))`,
      )
    await beSeen('hidden')
    await page.waitForLoadState('networkidle')
    asked = 0
    const unseen = await useTokens()
    realtime?.announce()
    await page.waitForTimeout(1_000)
    expect(asked).toBe(0)
    await beSeen('visible')
    await expect.poll(() => textOf(tile(page, 'tokens_used')), { timeout: 4_000 }).toBe(unseen)
  })

  it('the log has the decision that the card names, although nothing was announced', async () => {
    const { file, idOf, signIn, sql } = open()
    const organization = idOf('borealis-labs')
    const page = await signIn('borealis-labs', 'admin', { prepare: offerRealtime })
    const enforcement = card(page, 'Enforcement')
    await enforcement.getByText('What happens next').waitFor(PATIENT)
    await page.waitForLoadState('networkidle')
    await fetch(`${file.tokenApi}/v1/organizations/${organization}/quota`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${file.operatorKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ limit: 1 }),
    })
    const decision = async (): Promise<string | undefined> => {
      const { rows } = await sql.query(
        `select decision_id from tollgate.enforcement_states where organization_id = $1 and state = 'revoked'`,
        [organization],
      )
      return rows[0]?.decision_id
    }
    await expect.poll(decision, PATIENT).toMatch(/-/)
    const id = (await decision()) ?? expect.fail('no decision')
    expect(await enforcement.textContent()).not.toContain(id)
    // A change of something else has the page ask where the organization stands, and for nothing more.
    const users = card(page, 'Limits of users')
    await users.getByRole('button', { name: 'Change the default' }).click()
    await users.getByLabel(/^Limit of each user/).fill('800,000,000')
    await users.getByRole('button', { name: 'Set the default' }).click()
    await confirmChange(page)
    await enforcement.getByText(id).waitFor(PATIENT)
    await enforcement.locator('tbody code', { hasText: id.slice(0, 8) }).waitFor({ timeout: 4_000 })
  })

  it('an answer that a later one has overtaken is not shown', async () => {
    let realtime: Awaited<ReturnType<typeof offerRealtime>> | undefined
    const page = await open().signIn('acme-research', 'admin', {
      prepare: async (page) => {
        realtime = await offerRealtime(page)
      },
    })
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toMatch(/\d/)
    await page.waitForLoadState('networkidle')
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let isHeld = false
    await page.route(/report_summary/, async (route) => {
      if (isHeld) return route.continue()
      isHeld = true
      const response = await route.fetch()
      await held
      await route.fulfill({ response })
    })
    realtime?.announce()
    await expect.poll(() => isHeld, PATIENT).toBe(true)
    await page.waitForTimeout(500)
    const tokens = await useTokens()
    realtime?.announce()
    await expect.poll(() => textOf(tile(page, 'tokens_used')), PATIENT).toBe(tokens)
    const late = page.waitForResponse(/report_summary/)
    release()
    await (await late).finished()
    await page.waitForTimeout(300)
    expect(await textOf(tile(page, 'tokens_used'))).toBe(tokens)
  })
}
