import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { repoRoot } from '@tollgate/local-stack'
import { openBrowser } from '@tollgate/local-stack/browser'

/** Weight of the page's own script as browsers fetch it (Brotli), in kB. */
export function weighScript(): number {
  const assets = join(repoRoot, 'apps/dashboard/dist/assets')
  const scripts = readdirSync(assets).filter((name) => name.endsWith('.js.br'))
  return scripts.reduce((sum, name) => sum + statSync(join(assets, name)).size, 0) / 1_000
}

/** Who signs in to be shown the page. */
interface Visitor {
  readonly email: string
  readonly password: string
}

/** From the first byte asked for until the first paint, and until the tiles show figures, in ms, by visits with empty caches. */
export async function measurePage(
  url: string,
  visitor: Visitor,
  visits: number,
): Promise<{ paint: number[]; figures: number[] }> {
  const browser = await openBrowser()
  try {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(url)
    await page.fill('input[name=email]', visitor.email)
    await page.fill('input[name=password]', visitor.password)
    await page.click('button[type=submit]')
    const isFilled = () => page.locator('[data-tile=tokens_used]', { hasText: /\d/ }).waitFor()
    await isFilled()
    const session = await context.newCDPSession(page)
    const paint: number[] = []
    const figures: number[] = []
    for (let visit = 0; visit < visits; visit++) {
      await session.send('Network.clearBrowserCache')
      await page.reload({ waitUntil: 'commit' })
      await isFilled()
      figures.push(await page.evaluate(() => performance.now()))
      paint.push(
        await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN),
      )
    }
    return { paint, figures }
  } finally {
    await browser.close()
  }
}
