import { join } from 'node:path'
import { buildDashboard, createDashboard, DASHBOARD_PORT, withOrigin } from './dashboard.ts'
import { demoOrganizations } from './demo-organizations.ts'
import { StackError } from './errors.ts'
import { choosePorts, type PortWish } from './ports.ts'
import { createService, type Service, serviceNames, serviceScripts } from './processes.ts'
import { provisionRoles, type ServiceName } from './provision.ts'
import { type SeededUser, seedDemo } from './seed.ts'
import type { ServerHooks } from './server.ts'
import { type Servers, type ServersOptions, startServersIn } from './servers.ts'
import { serviceEnv } from './service-env.ts'
import { openStackDir, type StackDir } from './stack-dir.ts'
import { type StackFile, writeStackFile } from './stack-file.ts'
import { createTeardown, type Teardown } from './teardown.ts'

/** A name in the stack that has a port. */
export type PortName = ServiceName | 'dashboard' | 'postgres' | 'redis' | 'supabase'

/** How the whole stack is started. */
export type StackOptions = Omit<ServersOptions, 'ports'> & {
  ports?: Partial<Record<PortName, number>> | undefined
  /** Settings for the services besides those the stack sets itself; by default this process's environment. */
  env?: NodeJS.ProcessEnv | undefined
  /** Other programs in place of the services, for tests of the stack itself. */
  scripts?: Partial<Record<ServiceName, string>> | undefined
  /** What the process with this label (`usage-worker`, `usage-worker-2`) is told, changed; for fault tests. */
  adaptEnv?: ((label: string, env: NodeJS.ProcessEnv) => NodeJS.ProcessEnv | Promise<NodeJS.ProcessEnv>) | undefined
  /** Builds and serves the dashboard too. Default: not. */
  dashboard?: boolean | undefined
  /** Stops a start in progress: what is up is taken down in order and the start fails. */
  signal?: AbortSignal | undefined
}

/** The running stack. `services['usage-worker'].kill()` and `.start()` are for fault tests. */
export type Stack = Omit<Servers, 'stop'> & {
  services: Record<ServiceName, Service>
  /** Starts one more instance of a service, for tests and benchmarks of several; the second is labelled `<name>-2`. */
  addService(name: ServiceName): Promise<Service>
  /** Null where it was not asked for. */
  dashboard: Service | null
  /** Content of stack.json, with the process ids of this moment. */
  describe(): StackFile
  /** Takes everything down in order and removes stack.json. */
  stop(): Promise<void>
  /** Ends every process at once. */
  killAll(): void
}

type ServicePorts = Record<ServiceName | 'dashboard', number>

const chooseServicePorts = async (stackDir: StackDir, options: StackOptions): Promise<ServicePorts> => {
  const remembered = stackDir.readState().ports
  const wish = (name: ServiceName | 'dashboard'): PortWish => ({
    fixed: options.ports?.[name],
    remembered: remembered[name],
  })
  const ports = await choosePorts({
    'token-api': wish('token-api'),
    'usage-worker': wish('usage-worker'),
    'quota-enforcer': wish('quota-enforcer'),
    dashboard: { ...wish('dashboard'), preferred: DASHBOARD_PORT },
  })
  stackDir.writeState({ ports: { ...remembered, ...ports } })
  return ports
}

type Running = {
  servers: Omit<Servers, 'stop'>
  services: Record<ServiceName, Service>
  dashboard: Service | null
  users: SeededUser[]
}

const describeStack = ({ secrets }: StackDir, { servers, services, dashboard, users }: Running): StackFile => {
  const { url, publishableKey, secretKey } = servers.supabase
  const processes = [
    ...Object.values(services),
    servers.redis,
    servers.postgres,
    servers.supabaseApi,
    dashboard,
  ].filter((process) => process !== null)
  const pids = processes.flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid] as const]))
  return {
    tokenApi: services['token-api'].url,
    ...(dashboard === null ? {} : { dashboard: dashboard.url }),
    supabase: { url, publishableKey, secretKey },
    databaseUrl: servers.databaseUrl,
    redisUrl: servers.redisUrl,
    ingestKey: secrets.ingestKey,
    operatorKey: secrets.operatorKey,
    pids: Object.fromEntries(pids),
    organizations: demoOrganizations.map(({ id, domain, plan_type, max_tokens }) => ({
      id,
      domain,
      plan_type,
      max_tokens,
    })),
    users: users.map(({ id, email, password, role, organization_id }) => ({
      id,
      email,
      password,
      role,
      organization_id,
    })),
  }
}

const seed = async (stackDir: StackDir, servers: Omit<Servers, 'stop'>, log: (line: string) => void) => {
  const { demoPassword, ingestKey, operatorKey } = stackDir.secrets
  const { databaseUrl, supabase } = servers
  const users = await seedDemo({ databaseUrl, supabase, demoPassword, ingestKey, operatorKey })
  if (users === null) log('No demo organizations: the migrations do not create their tables.')
  return users ?? []
}

/** Prepares a process of a service; `label` tells several of one service apart. */
type CreateProcess = (name: ServiceName, port: number, label?: string) => Promise<Service>

const prepareServices = async (
  stackDir: StackDir,
  options: StackOptions,
  ports: ServicePorts,
  servers: Omit<Servers, 'stop'>,
  hooks: ServerHooks,
): Promise<CreateProcess> => {
  const { secrets, paths, registry } = stackDir
  const databaseUrls = await provisionRoles(servers.databaseUrl, secrets.rolePassword)
  const given = options.env ?? process.env
  const origins = withOrigin(given.CORS_ORIGINS, dashboardUrl(ports))
  const base = options.dashboard === true ? { ...given, CORS_ORIGINS: origins } : given
  return async (name, port, label = name) => {
    const env = serviceEnv(name, base, servers, databaseUrls[name], secrets)
    return createService({
      name: label,
      script: options.scripts?.[name] ?? serviceScripts[name],
      port,
      logFile: join(paths.logs, `${label}.log`),
      env: (await options.adaptEnv?.(label, env)) ?? env,
      registry,
      hooks,
    })
  }
}

/** Adds instances beside the first ones; each has a port and a label of its own. */
const prepareAdding = (create: CreateProcess, teardown: Teardown): Stack['addService'] => {
  const instances: Partial<Record<ServiceName, number>> = {}
  return async (name) => {
    const { port } = await choosePorts({ port: {} })
    const number = (instances[name] ?? 1) + 1
    instances[name] = number
    const service = await create(name, port, `${name}-${number}`)
    teardown.defer(() => service.stop())
    await service.start()
    return service
  }
}

const dashboardUrl = (ports: ServicePorts): string => `http://127.0.0.1:${ports.dashboard}`

const startDashboard = async (
  stackDir: StackDir,
  options: StackOptions,
  ports: ServicePorts,
  { servers, services }: Pick<Running, 'servers' | 'services'>,
  hooks: ServerHooks,
  teardown: Teardown,
): Promise<Service | null> => {
  if (options.dashboard !== true) return null
  buildDashboard()
  const { url: supabaseUrl, publishableKey } = servers.supabase
  const { paths, registry } = stackDir
  const dashboard = createDashboard(
    { supabaseUrl, sameOrigin: true, publishableKey, tokenApiUrl: services['token-api'].url },
    { port: ports.dashboard, logFile: join(paths.logs, 'dashboard.log'), registry, hooks },
    options.env ?? process.env,
  )
  teardown.defer(() => dashboard.stop())
  await dashboard.start()
  return dashboard
}

const bringUp = async (stackDir: StackDir, options: StackOptions, teardown: Teardown): Promise<Stack> => {
  const log = options.log ?? (() => {})
  let running: Running | null = null
  // A process that was killed and started again has another pid: the file follows.
  const rewrite = () => {
    if (running !== null) writeStackFile(stackDir.paths, describeStack(stackDir, running))
  }
  const hooks = { ...options.hooks, onReady: rewrite }
  const ports = await chooseServicePorts(stackDir, options)
  const { postgres, redis, supabase } = options.ports ?? {}
  const serverPorts = Object.fromEntries(
    Object.entries({ postgres, redis, supabase }).filter(([, port]) => port !== undefined),
  )
  log('Starting PostgreSQL, Redis and the Supabase-compatible API …')
  const servers = await startServersIn(stackDir, { ...options, ports: serverPorts, hooks }, teardown)
  const users = await seed(stackDir, servers, log)
  const create = await prepareServices(stackDir, options, ports, servers, hooks)
  const services = {
    'token-api': await create('token-api', ports['token-api']),
    'usage-worker': await create('usage-worker', ports['usage-worker']),
    'quota-enforcer': await create('quota-enforcer', ports['quota-enforcer']),
  }
  log('Starting token-api, usage-worker and quota-enforcer …')
  for (const name of serviceNames) teardown.defer(() => services[name].stop())
  await Promise.all(serviceNames.map((name) => services[name].start()))
  const dashboard = await startDashboard(stackDir, options, ports, { servers, services }, hooks, teardown)
  running = { servers, services, dashboard, users }
  rewrite()
  const current = running
  return {
    ...servers,
    services,
    addService: prepareAdding(create, teardown),
    dashboard,
    describe: () => describeStack(stackDir, current),
    stop: () => teardown.run(),
    killAll: stackDir.killAll,
  }
}

/** Starts the servers, the demo data and the three services, and writes stack.json. A failure leaves nothing running. */
export const startStack = async (options: StackOptions = {}): Promise<Stack> => {
  const teardown = createTeardown()
  const { signal, dir, fresh, log } = options
  const interrupt = () => void teardown.run()
  try {
    const stackDir = await openStackDir({ dir, fresh, ...(log ? { log } : {}) })
    teardown.defer(() => stackDir.close())
    signal?.addEventListener('abort', interrupt, { once: true })
    signal?.throwIfAborted()
    const stack = await bringUp(stackDir, options, teardown)
    signal?.removeEventListener('abort', interrupt)
    return stack
  } catch (error) {
    await teardown.run()
    if (signal?.aborted === true) throw new StackError('The start was interrupted.', { cause: error })
    throw error
  }
}
