import { expect, it } from 'vitest'
import { card, type Dashboard } from './open-dashboard.ts'

const PATIENT = { timeout: 20_000 }

/** What the page tells of grants, and of who was to be told of one. */
export function describeGrants(open: () => Dashboard): void {
  it('each grant is listed, and a notification that does not arrive is seen with its reason', async () => {
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
    const lapsed = { amount: 9_000_000_000, reason: 'of a moment', idempotency_key: 'lapsed' }
    const expires_at = new Date(Date.now() + 3_000).toISOString()
    expect((await post('grants', { ...lapsed, expires_at })).status).toBe(201)
    await expect.poll(() => Date.now(), PATIENT).toBeGreaterThan(Date.parse(expires_at))
    const page = await signIn('acme-research', 'admin')
    // Single grants, the expired one told apart: what it gave, and that nothing of it is left.
    const grants = card(page, 'Grants')
    const over = grants.getByRole('row', { name: /of a moment/ })
    await over.getByText('expired', { exact: true }).waitFor(PATIENT)
    expect((await over.locator('td').allTextContents()).slice(1, 3)).toEqual(['9,000,000,000', '–'])
    const given = await grants.getByRole('row', { name: /test/ }).locator('td').allTextContents()
    expect([given[0], given[1], given.at(-1)]).toEqual(['open', '1,000', 'a server’s key'])
    const row = card(page, 'Webhook deliveries')
      .getByRole('row', { name: /quota\.granted/ })
      .last()
    await row.getByText(url).waitFor(PATIENT)
    await expect.poll(() => row.locator('td').nth(4).textContent(), PATIENT).not.toBe('–')
  })
}
