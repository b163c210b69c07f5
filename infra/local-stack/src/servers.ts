import { join } from 'node:path'
import { StackError } from './errors.ts'
import { hashMigrations, planMigrations } from './migrations.ts'
import { migrationsDir } from './paths.ts'
import { choosePorts, type PortWish } from './ports.ts'
import { createPostgres, type PostgresServer } from './postgres.ts'
import { thisMachine } from './programs.ts'
import { createRedis, type RedisServer } from './redis.ts'
import { findRedis } from './redis-binary.ts'
import type { ServerHooks } from './server.ts'
import { openStackDir, type StackDir } from './stack-dir.ts'
import { applyMigrations, createSupabase, type SupabaseKeys, type SupabaseServer } from './supabase.ts'
import { createTeardown, type Teardown } from './teardown.ts'

/** How the real servers are started. */
export type ServersOptions = {
  /** The stack's directory; by default `.tollgate/` in the repository. */
  dir?: string | undefined
  /** false: PostgreSQL without fsync, for tests. */
  durable?: boolean | undefined
  /** Directory of the migrations to apply; by default infra/supabase/migrations. */
  migrations?: string | undefined
  /** How many numbered databases Redis has. */
  redisDatabases?: number | undefined
  /** Ports that must be used; a port that is not named is free and remembered. */
  ports?: Partial<Record<'postgres' | 'redis' | 'supabase', number>> | undefined
  /** Start over without the data of earlier runs. */
  fresh?: boolean | undefined
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
  supabase: Parameters<typeof createSupabase>[0],
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
  await applyMigrations({ ...supabase, migrations })
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
  const runtime = findRedis(thisMachine(process.env, log))
  const ports = await choosePorts({ postgres: wish('postgres'), redis: wish('redis'), supabase: wish('supabase') })
  stackDir.writeState({ ports: { ...remembered, ...ports } })
  const common = { registry, hooks: options.hooks ?? {} }
  const logFile = (name: string) => join(paths.logs, `${name}.log`)

  const postgres = createPostgres({
    ...common,
    dataDir: paths.postgres,
    logFile: logFile('postgres'),
    port: ports.postgres,
    password: secrets.postgresPassword,
    durable: options.durable ?? true,
  })
  const redis = createRedis({
    ...common,
    runtime,
    dir: paths.redis,
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
  await migrate(stackDir, options, supabaseOptions)
  const supabaseApi = createSupabase(supabaseOptions)
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
