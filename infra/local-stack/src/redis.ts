import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { type Child, type ChildRegistry, startChild } from './child.ts'
import type { RedisRuntime } from './redis-binary.ts'
import { writePrivateFile } from './secrets.ts'
import { createServer, type Server, type ServerHooks } from './server.ts'

/** How a Redis of our own is run. */
export type RedisOptions = {
  runtime: RedisRuntime
  dir: string
  logFile: string
  port: number
  password: string
  databases: number
  registry?: ChildRegistry
  hooks?: ServerHooks
}

/** A Redis server; `url(database)` connects with its password. */
export type RedisServer = Server & { url(database?: number): string }

/** Every accepted write is on disk before it is answered; nothing is ever evicted. */
export const redisConfiguration = (
  options: Pick<RedisOptions, 'password' | 'databases'>,
  inside: { bind: string; port: number; dir: string },
): string =>
  [
    `bind ${inside.bind}`,
    `port ${inside.port}`,
    `requirepass ${options.password}`,
    `dir ${JSON.stringify(inside.dir)}`,
    `databases ${options.databases}`,
    'appendonly yes',
    'appendfsync always',
    // At full load the log grows by some megabytes a second, and a rewrite costs as much processor time as a second of it.
    'auto-aof-rewrite-min-size 256mb',
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
    '',
  ].join('\n')

const startProgram = (path: string, options: RedisOptions): Promise<Child> => {
  const file = join(options.dir, 'redis.conf')
  writePrivateFile(file, redisConfiguration(options, { bind: '127.0.0.1', port: options.port, dir: options.dir }))
  const { logFile, dir, registry } = options
  return startChild({ name: 'redis', command: path, args: [file], logFile, cwd: dir }, registry)
}

const containerName = (dir: string): string =>
  `tollgate-redis-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`

const startContainer = (image: string, options: RedisOptions): Promise<Child> => {
  const { dir, port, logFile, registry } = options
  writePrivateFile(join(dir, 'redis.conf'), redisConfiguration(options, { bind: '0.0.0.0', port: 6379, dir: '/data' }))
  const name = containerName(dir)
  // A container left by a killed start would still hold the data.
  spawnSync('docker', ['rm', '--force', name], { stdio: 'ignore' })
  const user = process.getuid ? ['--user', `${process.getuid()}:${process.getgid?.() ?? 0}`] : []
  const wiring = ['--publish', `127.0.0.1:${port}:6379`, '--volume', `${dir}:/data`]
  const args = ['run', '--rm', '--name', name, ...user, ...wiring, image, 'redis-server', '/data/redis.conf']
  return startChild({ name: 'redis', command: 'docker', args, logFile, cwd: dir }, registry)
}

/** Whether a Redis answers at this address and has read its file. @throws when it does not */
export const answersRedis = async (url: string): Promise<boolean> => {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 })
  client.on('error', () => {})
  try {
    await client.connect()
    // While Redis reads its append-only file it answers LOADING, which is an error here.
    return (await client.ping()) === 'PONG'
  } finally {
    client.disconnect()
  }
}

/** Prepares a Redis server on 127.0.0.1 that keeps its data in `dir`. */
export const createRedis = (options: RedisOptions): RedisServer => {
  mkdirSync(options.dir, { recursive: true })
  const { runtime } = options
  const url = (database = 0) => `redis://:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/${database}`
  const killContainer = async (signal: NodeJS.Signals) => {
    spawnSync('docker', ['kill', '--signal', signal, containerName(options.dir)], { stdio: 'ignore' })
  }
  const server = createServer({
    name: 'redis',
    launch: () =>
      runtime.kind === 'program' ? startProgram(runtime.path, options) : startContainer(runtime.image, options),
    probe: () => answersRedis(url()),
    // The first use of the Docker image downloads it.
    readyTimeoutMs: runtime.kind === 'docker' ? 180_000 : 60_000,
    stopSteps: [['SIGTERM', 20_000]],
    ...(runtime.kind === 'docker' ? { killOutside: killContainer } : {}),
    ...options.hooks,
  })
  return Object.assign(server, { url })
}
