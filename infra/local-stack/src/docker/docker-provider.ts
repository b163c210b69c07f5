import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GenericContainer, getContainerRuntimeClient } from 'testcontainers'
import { withDatabase } from '../database.ts'
import { StackError } from '../errors.ts'
import { answersPostgres, type PostgresOptions, type PostgresServer, postgresSettings } from '../postgres.ts'
import type { ServerProvider } from '../provider.ts'
import { answersRedis, type RedisOptions, type RedisServer, redisConfiguration } from '../redis.ts'
import type { SupabaseOptions } from '../supabase.ts'
import { createContainerServer } from './container-server.ts'
import { createDockerSupabase } from './docker-supabase.ts'
import { images } from './images.ts'

// The first use of an image downloads it.
const READY_MS = 300_000

const createPostgres = (options: PostgresOptions): PostgresServer => {
  const url = (database = 'postgres') =>
    `postgres://postgres:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/${database}`
  const server = createContainerServer({
    name: 'postgres',
    describe: () =>
      new GenericContainer(images.postgres)
        .withEnvironment({ POSTGRES_PASSWORD: options.password, POSTGRES_INITDB_ARGS: '--encoding=UTF8 --locale=C' })
        .withCommand(['postgres', ...postgresSettings({ listen: '*', port: 5432, durable: options.durable })])
        .withExposedPorts({ container: 5432, host: options.port }),
    probe: () => answersPostgres(url()),
    readyTimeoutMs: READY_MS,
    ...options.hooks,
  })
  return withUrl(server, url)
}

const createRedis = (options: Omit<RedisOptions, 'runtime'>): RedisServer => {
  const url = (database = 0) => `redis://:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/${database}`
  const content = redisConfiguration(options, { bind: '0.0.0.0', port: 6379, dir: '/data' })
  const server = createContainerServer({
    name: 'redis',
    describe: () =>
      new GenericContainer(images.redis)
        .withCopyContentToContainer([{ content, target: '/usr/local/etc/redis.conf' }])
        .withCommand(['redis-server', '/usr/local/etc/redis.conf'])
        .withExposedPorts({ container: 6379, host: options.port }),
    probe: () => answersRedis(url()),
    readyTimeoutMs: READY_MS,
    ...options.hooks,
  })
  return withUrl(server, url)
}

// `pid` is read from the handle, so it is not copied.
const withUrl = <Handle extends object, Url>(server: Handle, url: Url): Handle & { url: Url } =>
  Object.assign(server, { url })

/** Supabase Auth brings its own tables; ours come after them, in order. */
const migrate = async (options: SupabaseOptions & { migrations: string }): Promise<void> => {
  const defaults = readFileSync(join(import.meta.dirname, '../hosted-defaults.sql'), 'utf8')
  await withDatabase(options.databaseUrl, (client) => client.query(defaults))
  const supabase = createDockerSupabase(options)
  await supabase.start()
  await supabase.stop()
  const files = readdirSync(options.migrations).filter((file) => file.endsWith('.sql'))
  await withDatabase(options.databaseUrl, async (client) => {
    for (const file of files.toSorted()) await client.query(readFileSync(join(options.migrations, file), 'utf8'))
  })
}

/** Servers in containers. @throws StackError when no engine answers */
export const openDockerProvider = async (): Promise<ServerProvider> => {
  try {
    await getContainerRuntimeClient()
  } catch (cause) {
    throw new StackError(
      'TOLLGATE_STACK=docker needs a Docker engine, and none answers (is it running? may this user reach it?). Without TOLLGATE_STACK the servers are programs of this machine.',
      { cause },
    )
  }
  const { postgres, redis, postgrest, auth } = images
  return {
    name: 'docker',
    about: `${postgres}, ${redis}, ${postgrest} and ${auth} in Docker`,
    createPostgres,
    createRedis,
    createSupabase: createDockerSupabase,
    migrate,
  }
}
