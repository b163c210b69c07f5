import { spawn } from 'node:child_process'
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { type ChildRegistry, startChild } from './child.ts'
import { withDatabase } from './database.ts'
import { StackError } from './errors.ts'
import { type StackSecrets, writePrivateFile } from './secrets.ts'
import { createServer, type Server, type ServerHooks } from './server.ts'
import { findProtectedTable, keepingGrants } from './supabase-grants.ts'

/** Keys and signing secret of the Supabase-compatible API. */
export type SupabaseKeys = Pick<StackSecrets, 'jwtSecret' | 'publishableKey' | 'secretKey'>

/** How the Supabase-compatible API is run. `projectDir` is its working directory; it writes nothing outside. */
export type SupabaseOptions = {
  projectDir: string
  logFile: string
  port: number
  databaseUrl: string
  keys: SupabaseKeys
  registry?: ChildRegistry
  hooks?: ServerHooks
}

/** The API server; `url` is what supabase-js gets. */
export type SupabaseServer = Server & { readonly url: string }

const exposedSchemas = ['public'] as const

const liteProgram = (): string => {
  const manifest = findPackageJSON('@supabase/lite', import.meta.url)
  if (manifest === undefined) throw new StackError('@supabase/lite is not installed: run pnpm install.')
  return join(dirname(manifest), 'dist', 'cli', 'index.js')
}

/** Lite fills env(NAME) itself: no secret stands in the file. */
const liteConfig = (port: number): string => `[api]
port = ${port}
schemas = ${JSON.stringify(exposedSchemas)}
max_rows = 1000
external_url = "http://127.0.0.1:${port}"

[db]
driver = "postgres"
url = "env(DATABASE_URL)"

[auth]
enabled = true
site_url = "http://127.0.0.1:${port}"
jwt_secret = "env(SUPABASE_JWT_SECRET)"
jwt_expiry = 3600
enable_signup = true
publishable_key = "env(SUPABASE_PUBLISHABLE_KEY)"
secret_key = "env(SUPABASE_SECRET_KEY)"

[auth.email]
enable_confirmations = false
`

const liteEnv = (databaseUrl: string, keys: SupabaseKeys): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  DO_NOT_TRACK: '1',
  // Lite repeats dozens of "already exists, skipping" notices at each start.
  DATABASE_URL: `${databaseUrl}?client_min_messages=warning`,
  SUPABASE_JWT_SECRET: keys.jwtSecret,
  SUPABASE_PUBLISHABLE_KEY: keys.publishableKey,
  SUPABASE_SECRET_KEY: keys.secretKey,
})

const prepareProject = (projectDir: string, port: number): string => {
  const dir = join(projectDir, 'supabase')
  mkdirSync(dir, { recursive: true })
  writePrivateFile(join(dir, 'config.toml'), liteConfig(port))
  return dir
}

const runLite = (options: Omit<SupabaseOptions, 'registry'>, args: readonly string[]): Promise<string> =>
  new Promise((done, failed) => {
    const { projectDir, databaseUrl, keys, logFile } = options
    const env = liteEnv(databaseUrl, keys)
    const child = spawn(process.execPath, [liteProgram(), ...args], { cwd: projectDir, env, stdio: 'pipe' })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    child.once('error', failed)
    child.once('close', (code) => {
      mkdirSync(dirname(logFile), { recursive: true })
      appendFileSync(logFile, output)
      if (code === 0) done(output)
      else failed(new StackError(`lite ${args.join(' ')} failed:\n${output.trim().split('\n').slice(-25).join('\n')}`))
    })
  })

/** Gives a fresh database what hosted projects have, then applies the migrations that it lacks, in order, through `lite migration up`. */
export const applyMigrations = async (options: SupabaseOptions & { migrations: string }): Promise<void> => {
  const defaults = readFileSync(join(import.meta.dirname, 'hosted-defaults.sql'), 'utf8')
  await withDatabase(options.databaseUrl, (client) => client.query(defaults))
  // Lite looks for migrations beside its configuration, which lies in the stack and not in the repository: hence the copy.
  const copies = join(prepareProject(options.projectDir, options.port), 'migrations')
  rmSync(copies, { recursive: true, force: true })
  mkdirSync(copies)
  const files = existsSync(options.migrations) ? readdirSync(options.migrations).filter((f) => f.endsWith('.sql')) : []
  for (const file of files) copyFileSync(join(options.migrations, file), join(copies, file))
  await runLite(options, ['migration', 'up'])
}

/** The first request to a protected table makes lite grant far too much: it is made here, and its grants are taken back. */
const settleGrants = (options: SupabaseOptions, url: string): Promise<void> =>
  withDatabase(options.databaseUrl, async (client) => {
    const table = await findProtectedTable(client, exposedSchemas)
    if (table === null) return
    await keepingGrants(client, async () => {
      const headers = { apikey: options.keys.publishableKey }
      await fetch(`${url}/rest/v1/${table}?limit=1`, { headers, signal: AbortSignal.timeout(15_000) })
    })
  })

const answers = async (options: SupabaseOptions, url: string): Promise<boolean> => {
  const headers = { apikey: options.keys.publishableKey }
  const response = await fetch(`${url}/auth/v1/health`, { headers, signal: AbortSignal.timeout(2000) })
  if (!response.ok) return false
  await settleGrants(options, url)
  return true
}

/** Prepares the Supabase-compatible API over a migrated database (it reads the schema when it starts). */
export const createSupabase = (options: SupabaseOptions): SupabaseServer => {
  const url = `http://127.0.0.1:${options.port}`
  const { projectDir, logFile, databaseUrl, keys, registry } = options
  const server = createServer({
    name: 'supabase',
    launch: () => {
      prepareProject(projectDir, options.port)
      const args = [liteProgram(), 'start', '--no-admin']
      const env = liteEnv(databaseUrl, keys)
      return startChild({ name: 'supabase', command: process.execPath, args, logFile, cwd: projectDir, env }, registry)
    },
    probe: () => answers(options, url),
    readyTimeoutMs: 60_000,
    stopSteps: [
      ['SIGTERM', 5000],
      ['SIGKILL', 5000],
    ],
    ...options.hooks,
  })
  return Object.assign(server, { url })
}
