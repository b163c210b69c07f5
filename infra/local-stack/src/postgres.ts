import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type Child, type ChildRegistry, startChild } from './child.ts'
import { StackError } from './errors.ts'
import { findPostgresHome, giveTo, type PostgresHome } from './postgres-binaries.ts'
import { createServer, type Server, type ServerHooks } from './server.ts'

/** How a PostgreSQL of our own is run. */
export type PostgresOptions = {
  dataDir: string
  logFile: string
  port: number
  password: string
  /** false: no fsync, for tests only. What is committed then survives a killed server, but not a power cut. */
  durable: boolean
  registry?: ChildRegistry
  hooks?: ServerHooks
}

/** A PostgreSQL server; `url(database)` connects as its superuser `postgres`. */
export type PostgresServer = Server & { url(database?: string): string }

/** What PostgreSQL is run with, as arguments; without `listen` on the loopback address alone, and without a socket file. */
export const postgresSettings = ({
  port,
  durable,
  listen,
}: Pick<PostgresOptions, 'port' | 'durable'> & { listen?: string }): string[] =>
  Object.entries({
    ...(listen === undefined
      ? { listen_addresses: '127.0.0.1', unix_socket_directories: '' }
      : { listen_addresses: listen }),
    port: String(port),
    max_connections: '200',
    shared_buffers: '256MB',
    max_wal_size: '4GB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // synchronous_commit stays on: without it a killed server loses its last commits, and fault tests would see phantoms.
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`])

const asUser = ({ runAs }: PostgresHome) => (runAs === null ? {} : { uid: runAs.uid, gid: runAs.gid })

/** Creates the database cluster. It becomes `dataDir` only when it is whole, so that an interrupted start leaves nothing half done. */
const initialise = (home: PostgresHome, options: PostgresOptions): void => {
  const [unfinished, passwordFile] = [`${home.dataDir}.new`, `${home.dataDir}.password`]
  mkdirSync(dirname(home.dataDir), { recursive: true })
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  writeFileSync(passwordFile, options.password, { mode: 0o600 })
  for (const path of [unfinished, passwordFile]) giveTo(path, home.runAs)
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  const args = ['-D', unfinished, ...access, ...locale, '--no-instructions', ...(options.durable ? [] : ['--no-sync'])]
  const result = spawnSync(join(home.bin, 'initdb'), args, { ...asUser(home), cwd: '/', encoding: 'utf8' })
  rmSync(passwordFile, { force: true })
  if (result.status !== 0) {
    throw new StackError(`PostgreSQL's initdb failed: ${result.error?.message ?? result.stderr.trim()}`)
  }
  renameSync(unfinished, home.dataDir)
}

/**
 * A PostgreSQL that was killed leaves postmaster.pid behind. Its number may by now belong to another program, and PostgreSQL
 * would then refuse to start. Our callers hold the stack's lock and have ended its orphans, so the file can only be stale.
 */
const removeStalePidFile = (dataDir: string): void => rmSync(join(dataDir, 'postmaster.pid'), { force: true })

const backendsLinger = 'pre-existing shared memory block'

const launch = async (home: PostgresHome, options: PostgresOptions): Promise<Child> => {
  if (!existsSync(join(home.dataDir, 'PG_VERSION'))) initialise(home, options)
  removeStalePidFile(home.dataDir)
  const start = () =>
    startChild(
      {
        name: 'postgres',
        command: join(home.bin, 'postgres'),
        args: ['-D', home.dataDir, ...postgresSettings(options)],
        logFile: options.logFile,
        cwd: '/',
        ...asUser(home),
      },
      options.registry,
    )
  // Backends of a killed server need a moment to notice that it is gone.
  for (let attempt = 1; ; attempt += 1) {
    const child = await start()
    const ended = await Promise.race([child.exited, delay(150).then(() => null)])
    if (ended === null || attempt === 20 || !child.lastLines().includes(backendsLinger)) return child
    await delay(250)
  }
}

/** Whether a PostgreSQL answers a query at this address. @throws when it does not */
export const answersPostgres = async (url: string): Promise<boolean> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } finally {
    await client.end().catch(() => {})
  }
}

/** Prepares a PostgreSQL server on 127.0.0.1 with its own data directory; `start()` creates the data on first use. */
export const createPostgres = (options: PostgresOptions): PostgresServer => {
  const home = findPostgresHome(options.dataDir)
  const url = (database = 'postgres') =>
    `postgres://postgres:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/${database}`
  const server = createServer({
    name: 'postgres',
    launch: () => launch(home, options),
    probe: () => answersPostgres(url()),
    readyTimeoutMs: 60_000,
    // SIGINT: fast shutdown, ends connections and writes a checkpoint. SIGQUIT: at once, recovers on the next start.
    stopSteps: [
      ['SIGINT', 30_000],
      ['SIGQUIT', 10_000],
    ],
    ...options.hooks,
  })
  return Object.assign(server, { url })
}
