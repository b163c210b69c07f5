import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { StackError } from './errors.ts'
import { repoRoot } from './paths.ts'
import { createService, type Service, type ServiceOptions } from './processes.ts'

/** Where the page is served if nobody chose and the port is free. */
export const DASHBOARD_PORT = 3200

const home = join(repoRoot, 'apps/dashboard')

/** Where the page finds its servers; none of it is secret. `sameOrigin`: Supabase is reached through the page's server. */
export type DashboardSettings = {
  supabaseUrl: string
  sameOrigin: boolean
  publishableKey: string
  tokenApiUrl: string
}

/** Builds the page if its sources have changed since it was built. Throws with the builder's own words. */
export const buildDashboard = (): void => {
  const result = spawnSync(process.execPath, [join(home, 'build-page.ts')], { cwd: home, encoding: 'utf8' })
  if (result.status !== 0) throw new StackError(`The dashboard could not be built:\n${result.stderr.trim()}`)
}

/** Prepares the process that serves the page. */
export const createDashboard = (
  settings: DashboardSettings,
  options: Omit<ServiceOptions, 'name' | 'script' | 'env'>,
  base: NodeJS.ProcessEnv,
): Service =>
  createService({
    ...options,
    name: 'dashboard',
    script: join(home, 'server/main.ts'),
    env: {
      ...base,
      SUPABASE_URL: settings.supabaseUrl,
      SUPABASE_SAME_ORIGIN: String(settings.sameOrigin),
      SUPABASE_PUBLISHABLE_KEY: settings.publishableKey,
      TOKEN_API_URL: settings.tokenApiUrl,
    },
  })

/** The origins that the token API answers to in a browser: those that were set, and the dashboard's. */
export const withOrigin = (origins: string | undefined, dashboardUrl: string): string =>
  [origins ?? '', dashboardUrl].filter((origin) => origin !== '').join(',')
