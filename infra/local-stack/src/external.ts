import { join } from 'node:path'
import { buildDashboard, createDashboard, DASHBOARD_PORT, withOrigin } from './dashboard.ts'
import { StackError } from './errors.ts'
import { choosePorts } from './ports.ts'
import { createService, type Service, serviceNames, serviceScripts } from './processes.ts'
import type { ServiceName } from './provision.ts'
import type { StackOptions } from './stack.ts'
import { openStackDir, type StackDir } from './stack-dir.ts'
import { createTeardown } from './teardown.ts'

/** The three services on servers that are not ours. */
export type ServicesOnly = {
  services: Record<ServiceName, Service>
  /** Null without SUPABASE_PUBLISHABLE_KEY, which the page signs in with. */
  dashboard: Service | null
  stop(): Promise<void>
  killAll(): void
}

const prepareDashboard = (
  { paths, registry }: StackDir,
  options: StackOptions,
  env: NodeJS.ProcessEnv,
  ports: Record<'token-api' | 'dashboard', number>,
): Service | null => {
  const { SUPABASE_URL: supabaseUrl = '', SUPABASE_PUBLISHABLE_KEY: publishableKey = '' } = env
  if (options.dashboard !== true || publishableKey === '') return null
  buildDashboard()
  const tokenApiUrl = env.TOKEN_API_URL || `http://127.0.0.1:${ports['token-api']}`
  const logFile = join(paths.logs, 'dashboard.log')
  const hooks = options.hooks ?? {}
  return createDashboard(
    { supabaseUrl, sameOrigin: env.SUPABASE_SAME_ORIGIN === 'true', publishableKey, tokenApiUrl },
    { port: ports.dashboard, logFile, registry, hooks },
    env,
  )
}

/** Runs only the services; the environment reaches them unchanged, and nothing is migrated or seeded. */
export const startServicesOnly = async (options: StackOptions): Promise<ServicesOnly> => {
  const env = options.env ?? process.env
  const teardown = createTeardown()
  const interrupt = () => void teardown.run()
  try {
    const stackDir = await openStackDir({ dir: options.dir })
    teardown.defer(() => stackDir.close())
    options.signal?.addEventListener('abort', interrupt, { once: true })
    const remembered = stackDir.readState().ports
    const wish = (name: ServiceName | 'dashboard') => ({ fixed: options.ports?.[name], remembered: remembered[name] })
    const ports = await choosePorts({
      'token-api': wish('token-api'),
      'usage-worker': wish('usage-worker'),
      'quota-enforcer': wish('quota-enforcer'),
      dashboard: { ...wish('dashboard'), preferred: DASHBOARD_PORT },
    })
    stackDir.writeState({ ports: { ...remembered, ...ports } })
    const dashboard = prepareDashboard(stackDir, options, env, ports)
    const serviceEnv = dashboard === null ? env : { ...env, CORS_ORIGINS: withOrigin(env.CORS_ORIGINS, dashboard.url) }
    const create = (name: ServiceName) =>
      createService({
        name,
        script: options.scripts?.[name] ?? serviceScripts[name],
        port: ports[name],
        logFile: join(stackDir.paths.logs, `${name}.log`),
        env: serviceEnv,
        registry: stackDir.registry,
        hooks: options.hooks ?? {},
      })
    const services = {
      'token-api': create('token-api'),
      'usage-worker': create('usage-worker'),
      'quota-enforcer': create('quota-enforcer'),
    }
    for (const name of serviceNames) teardown.defer(() => services[name].stop())
    await Promise.all(serviceNames.map((name) => services[name].start()))
    if (dashboard !== null) {
      teardown.defer(() => dashboard.stop())
      await dashboard.start()
    }
    options.signal?.removeEventListener('abort', interrupt)
    return { services, dashboard, stop: () => teardown.run(), killAll: stackDir.killAll }
  } catch (error) {
    await teardown.run()
    if (options.signal?.aborted === true) throw new StackError('The start was interrupted.', { cause: error })
    throw error
  }
}
