import { join } from 'node:path'
import { StackError } from './errors.ts'
import { hashMigrations, planMigrations } from './migrations.ts'
import { openProvider } from './open-provider.ts'
import { migrationsDir } from './paths.ts'
import { choosePorts, type PortWish } from './ports.ts'
import type { PostgresServer } from './postgres.ts'
import type { ServerProvider } from './provider.ts'
import type { RedisServer } from './redis.ts'
import type { ServerHooks } from './server.ts'
import { openStackDir, type StackDir } from './stack-dir.ts'
import type { SupabaseKeys, SupabaseOptions, SupabaseServer } from './supabase.ts'
import { createTeardown, type Teardown } from './teardown.ts'

/** How the real servers are started. */
export type ServersOptions = {
  /** The stack's directory; by default `.tollgate/` in the repository. */
  dir?: string | undefined
  /** false: PostgreSQL without fsync, for tests. */
  durable?: boolean | undefined
  /** Directory of the migrations to apply; by default infra/supabase/migrations. */
  migrations?: string | undefined
  /** Where a server keeps its data, if not in the stack's directory: a disk of its own, for fault tests. */
  dataDirs?: Partial<Record<'postgres' | 'redis', string>> | undefined
  /** How many numbered databases Redis has. */
  redisDatabases?: number | undefined
  /** Ports that must be used; a port that is not named is free and remembered. */
  ports?: Partial<Record<'postgres' | 'redis' | 'supabase', number>> | undefined
  /** Start over without the data of earlier runs. */
  fresh?: boolean | undefined
  /** Chooses where the servers come from (TOLLGATE_STACK); by default this process's environment. */
  env?: NodeJS.ProcessEnv | undefined
  log?: ((line: string) => void) | undefined
  hooks?: ServerHooks | undefined
}

/** The running servers. Each can be killed and started again on the same port and data. */
export type Servers = {
  /** Connects as the superuser. */
  databaseUrl: string
  redisUrl: string
  supabase: SupabaseKeys & { url: string }
  postgres: PostgresServer
  redis: RedisServer
  supabaseApi: SupabaseServer
  stop(): Promise<void>
}

const migrate = async (
  stackDir: StackDir,
  options: ServersOptions,
  supabase: SupabaseOptions,
  provider: ServerProvider,
): Promise<void> => {
  const migrations = options.migrations ?? migrationsDir
  const wanted = hashMigrations(migrations)
  const plan = planMigrations(stackDir.readState().migrations, wanted)
  if (plan.kind === 'changed') {
    throw new StackError(
      `The migrations have changed since the data in ${stackDir.paths.dir} was made (${plan.files.join(', ')}). Start again with --fresh; that removes this data.`,
    )
  }
  if (plan.kind === 'current') return
  await provider.migrate({ ...supabase, migrations })
  stackDir.writeState({ migrations: wanted })
}

/** Starts the three servers in an opened directory. Whatever was started is put on `teardown`, in time for a failure. */
export const startServersIn = async (
  stackDir: StackDir,
  options: ServersOptions,
  teardown: Teardown,
): Promise<Omit<Servers, 'stop'>> => {
  const { paths, secrets, registry } = stackDir
  const log = options.log ?? (() => {})
  const remembered = stackDir.readState().ports
  const wish = (name: 'postgres' | 'redis' | 'supabase'): PortWish => ({
    fixed: options.ports?.[name],
    remembered: remembered[name],
  })
  const provider = await openProvider(options.env ?? process.env, log)
  const ports = await choosePorts({ postgres: wish('postgres'), redis: wish('redis'), supabase: wish('supabase') })
  stackDir.writeState({ ports: { ...remembered, ...ports } })
  const common = { registry, hooks: options.hooks ?? {} }
  const logFile = (name: string) => join(paths.logs, `${name}.log`)

  const postgres = provider.createPostgres({
    ...common,
    dataDir: options.dataDirs?.postgres ?? paths.postgres,
    logFile: logFile('postgres'),
    port: ports.postgres,
    password: secrets.postgresPassword,
    durable: options.durable ?? true,
  })
  const redis = provider.createRedis({
    ...common,
    dir: options.dataDirs?.redis ?? paths.redis,
    logFile: logFile('redis'),
    port: ports.redis,
    password: secrets.redisPassword,
    databases: options.redisDatabases ?? 16,
  })
  teardown.defer(() => postgres.stop())
  teardown.defer(() => redis.stop())
  await Promise.all([postgres.start(), redis.start()])

  const { jwtSecret, publishableKey, secretKey } = secrets
  const supabaseOptions = {
    ...common,
    projectDir: paths.supabase,
    logFile: logFile('supabase'),
    port: ports.supabase,
    databaseUrl: postgres.url(),
    keys: { jwtSecret, publishableKey, secretKey },
  }
  await migrate(stackDir, options, supabaseOptions, provider)
  const supabaseApi = provider.createSupabase(supabaseOptions)
  teardown.defer(() => supabaseApi.stop())
  await supabaseApi.start()
  const supabase = { url: supabaseApi.url, jwtSecret, publishableKey, secretKey }
  return { databaseUrl: postgres.url(), redisUrl: redis.url(), supabase, postgres, redis, supabaseApi }
}

/** Starts PostgreSQL, Redis and the Supabase-compatible API, migrated and empty, without the services. */
export const startServers = async (options: ServersOptions = {}): Promise<Servers> => {
  const teardown = createTeardown()
  try {
    const stackDir = await openStackDir({
      dir: options.dir,
      fresh: options.fresh,
      ...(options.log ? { log: options.log } : {}),
    })
    teardown.defer(() => stackDir.close())
    const servers = await startServersIn(stackDir, options, teardown)
    return { ...servers, stop: () => teardown.run() }
  } catch (error) {
    await teardown.run()
    throw error
  }
}
