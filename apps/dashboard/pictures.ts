// Takes the README's pictures anew (`pnpm pictures`): a stack of its own, the demo's whole trace laid over this month, the
// page as the demo's people see it. Writes docs/pictures/*.webp.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repoRoot, type StackFile, startStack } from '@tollgate/local-stack'
import { openBrowser } from '@tollgate/local-stack/browser'
import type { Browser, Page } from 'playwright-core'
import { runDemo } from '../cli/src/demo/run-demo.ts'

interface Picture {
  readonly name: string
  readonly email: string
  readonly scheme: 'light' | 'dark'
  /** Of the address; `{domain}` stands for an organization's id. */
  readonly query: string
  readonly height: number
}

const ADMIN = { email: 'bruno@acme-research.example', query: '', height: 1_000 }
const STAFF = { email: 'petra@acme-research.example', query: '?org={cobalt-support}&by=user', height: 1_000 }
const PICTURES: readonly Picture[] = [
  { name: 'dashboard-light', scheme: 'light', ...ADMIN },
  { name: 'dashboard-dark', scheme: 'dark', ...ADMIN },
  { name: 'revoked-light', scheme: 'light', ...STAFF },
  { name: 'revoked-dark', scheme: 'dark', ...STAFF },
  { name: 'statement-light', scheme: 'light', ...ADMIN, query: '?view=statement', height: 860 },
  { name: 'statement-dark', scheme: 'dark', ...ADMIN, query: '?view=statement', height: 860 },
]
const MAX_BYTES = 200_000

async function show(browser: Browser, file: StackFile, picture: Picture): Promise<Buffer> {
  const { email, scheme, height } = picture
  const user = file.users.find((one) => one.email === email)
  if (!user || !file.dashboard) throw new Error(`no dashboard, or no ${email}`)
  const context = await browser.newContext({
    ...{ viewport: { width: 1_200, height }, colorScheme: scheme, deviceScaleFactor: 1.5, reducedMotion: 'reduce' },
  })
  const page = await context.newPage()
  const query = picture.query.replace(/\{(.+)\}/, (_, domain: string) => {
    return file.organizations.find((organization) => organization.domain === domain)?.id ?? domain
  })
  await page.goto(`${file.dashboard}/${query}`)
  await page.fill('input[name=email]', user.email)
  await page.fill('input[name=password]', user.password)
  await page.click('button[type=submit]')
  await page.locator('[data-table=usage] tbody tr, [data-lines=models] tbody tr').first().waitFor()
  for (const loading of await page.getByText('Loading').all()) await loading.waitFor({ state: 'detached' })
  const bytes = await capture(page)
  await context.close()
  return bytes
}

// Playwright writes PNG and JPEG alone; Chromium itself writes WebP, a third of the size.
async function capture(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page)
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 82 })
  return Buffer.from(data, 'base64')
}

const dir = mkdtempSync(join(tmpdir(), 'tollgate-pictures-'))
const stack = await startStack({ dir, durable: false, dashboard: true, env: {}, log: (line) => console.log(line) })
try {
  const file = stack.describe()
  const { problems } = await runDemo({ stack: file, windowFile: join(dir, 'demo.json'), days: 25 })
  if (problems.length > 0) throw new Error(`The demo does not agree with the books: ${JSON.stringify(problems)}`)
  const target = join(repoRoot, 'docs/pictures')
  mkdirSync(target, { recursive: true })
  const browser = await openBrowser()
  for (const picture of PICTURES) {
    const bytes = await show(browser, file, picture)
    if (bytes.length > MAX_BYTES) throw new Error(`${picture.name} weighs ${bytes.length} bytes`)
    writeFileSync(join(target, `${picture.name}.webp`), bytes)
    console.log(`docs/pictures/${picture.name}.webp  ${Math.round(bytes.length / 1_000)} kB`)
  }
  await browser.close()
} finally {
  await stack.stop()
  rmSync(dir, { recursive: true, force: true })
}
