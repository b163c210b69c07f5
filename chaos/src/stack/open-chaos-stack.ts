import {
  createTemporaryDir,
  type Server,
  type ServerHooks,
  type Service,
  type Stack,
  startStack,
} from '@tollgate/local-stack'
import { Redis } from 'ioredis'
import pg from 'pg'
import { ChaosError } from '../chaos-error.ts'
import { type Clocks, createClocks } from '../clock/clocks.ts'
import { type Disk, openDisk } from '../privileged/open-disk.ts'
import { SERVERS, SERVICES, type ServiceLabel } from '../schedule/fault.ts'
import { type Connections, createConnections } from './connections.ts'

/** A full stack with two instances of each service, and everything that can be done to it. */
export interface ChaosStack {
  readonly stack: Stack
  readonly dir: string
  readonly services: ReadonlyMap<ServiceLabel, Service>
  /** A process by its label: a service, `redis`, `postgres` or `supabase`. */
  process(label: string): Server
  readonly connections: Connections
  readonly clocks: Clocks
  /** The servers' own disks, by label; none unless asked for. */
  readonly disks: ReadonlyMap<string, Disk>
  /** Superuser connections past the proxies. */
  readonly db: pg.Pool
  /** A connection past the proxies. */
  readonly redis: Redis
  readonly tokenApis: readonly string[]
  /** Ends that nobody asked for, in words. */
  readonly surprises: readonly string[]
  /** From now on the end of this process is no surprise, until `false` is said. */
  expectEnd(label: string, isExpected: boolean): void
  stop(): Promise<void>
}

/** How the stack is run. */
export interface ChaosStackOptions {
  /** false: PostgreSQL without fsync. A kill loses nothing then; a power cut would. */
  readonly durable: boolean
  /** Gives each server a disk of its own; needs root. */
  readonly ownDisks: boolean
  /** Puts into the stack's directory what it begins with. */
  readonly prepareDir?: ((dir: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly log: (line: string) => void
}

// Short enough to be renewed many times in a run; and books that nobody repairs before they are looked at.
const SETTINGS = {
  NODE_ENV: 'production',
  LOG_LEVEL: 'warn',
  RATE_LIMITS: 'off',
  JWT_ACCESS_TOKEN_EXPIRY: '40s',
  RECONCILE: 'report',
}

const RESTART_MS = 500
const DISK_MB = { redis: 512, postgres: 6_000 } as const

/** Starts the stack in a directory of its own, which is removed with all that runs in it even when this process is killed. */
export async function openChaosStack(options: ChaosStackOptions): Promise<ChaosStack> {
  const teardown: (() => unknown)[] = []
  const stop = async () => {
    for (const step of teardown.splice(0).reverse()) await step()
  }
  try {
    return { ...(await open(options, teardown)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function open(options: ChaosStackOptions, teardown: (() => unknown)[]): Promise<Omit<ChaosStack, 'stop'>> {
  const temporary = createTemporaryDir()
  const { dir } = temporary
  const disks = new Map<string, Disk>()
  teardown.push(temporary.remove, () => Promise.all([...disks.values()].map((disk) => disk.unmount())))
  if (options.ownDisks) for (const name of SERVERS) disks.set(name, openDisk(dir, name, DISK_MB[name]))
  options.prepareDir?.(dir)
  const connections = createConnections()
  teardown.push(connections.close)
  const clocks = createClocks(dir)
  const ends = watchEnds()
  const stack = await startStack({
    dir,
    dataDirs: Object.fromEntries([...disks].map(([name, { dataDir }]) => [name, dataDir])),
    durable: options.durable,
    signal: options.signal,
    log: options.log,
    env: { ...process.env, ...SETTINGS },
    adaptEnv: async (label, env) => clocks.adaptEnv(label, await connections.adaptEnv(label, env)),
    hooks: { onUnexpectedExit: ends.onUnexpectedExit },
  })
  teardown.push(stack.stop, ends.supervise(stack.supabaseApi))
  // An interrupt at the very end of the start: the stack is on its way down.
  options.signal?.throwIfAborted()
  const services = await addInstances(stack)
  return {
    ...{ stack, dir, services, connections, clocks, disks, surprises: ends.surprises, expectEnd: ends.expectEnd },
    ...openOwnConnections(stack, teardown),
    tokenApis: [...services].flatMap(([label, { url }]) => (label.startsWith('token-api') ? [url] : [])),
    process: (label) => {
      const servers = { redis: stack.redis, postgres: stack.postgres, supabase: stack.supabaseApi }
      const found = [...Object.entries(servers), ...services].find(([name]) => name === label)?.[1]
      if (found === undefined) throw new ChaosError(`There is no process ${label}.`)
      return found
    },
  }
}

/** Notes which processes ended though nobody asked them to. */
function watchEnds() {
  const surprises: string[] = []
  const expected = new Set<string>()
  let supabaseApi: Server | undefined
  // The local stand-in for Supabase may end of a killed Postgres. It is not ours: a supervisor starts it again.
  const restart = () => void setTimeout(() => void supabaseApi?.start().catch(restart), RESTART_MS)
  const onUnexpectedExit: ServerHooks['onUnexpectedExit'] = (name, { code, signal }, lastLines) => {
    if (name === 'supabase') restart()
    else if (!expected.has(name)) surprises.push(`${name} ended by itself (${signal ?? `code ${code}`}): ${lastLines}`)
  }
  return {
    surprises,
    onUnexpectedExit,
    expectEnd: (label: string, isExpected: boolean) => void (isExpected ? expected.add(label) : expected.delete(label)),
    /** Begins to restart it; the answer ends that. */
    supervise: (server: Server) => {
      supabaseApi = server
      return () => {
        supabaseApi = undefined
      }
    },
  }
}

function openOwnConnections({ databaseUrl, redisUrl }: Stack, teardown: (() => unknown)[]) {
  const db = new pg.Pool({ connectionString: databaseUrl, max: 6, application_name: 'chaos' })
  db.on('error', () => undefined)
  db.on('connect', (client) => client.on('error', () => undefined))
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 2, connectionName: 'chaos' })
  redis.on('error', () => undefined)
  teardown.push(
    () => db.end(),
    () => redis.disconnect(),
  )
  return { db, redis }
}

async function addInstances(stack: Stack): Promise<Map<ServiceLabel, Service>> {
  const { services } = stack
  const [api, worker, enforcer] = await Promise.all([
    stack.addService('token-api'),
    stack.addService('usage-worker'),
    stack.addService('quota-enforcer'),
  ])
  const found: Record<ServiceLabel, Service> = {
    ...services,
    'token-api-2': api,
    'usage-worker-2': worker,
    'quota-enforcer-2': enforcer,
  }
  return new Map(SERVICES.map((label) => [label, found[label]]))
}
