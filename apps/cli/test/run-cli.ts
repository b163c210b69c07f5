import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** What a run of `tollgate` left behind. */
export interface CliRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** stdout as JSON; throws when it is none. */
  json(): unknown
}

/** How a run may be watched. */
export interface CliOptions {
  readonly databaseUrl: string
  /** Variables on top of the test's own. */
  readonly env?: Readonly<Record<string, string>>
  /** Told all of stderr so far, whenever more comes; may end the process. */
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void
}

const MAIN = join(import.meta.dirname, '../src/main.ts')

/** Runs the real command in a process of its own, against a test's database. */
export function runCli(args: readonly string[], { databaseUrl, env: extra, onStderr }: CliOptions): Promise<CliRun> {
  const env = {
    ...process.env,
    DATABASE_URL: databaseUrl,
    NO_COLOR: '1',
    SUPABASE_URL: '',
    SUPABASE_SECRET_KEY: '',
    ...extra,
  }
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    onStderr?.(stderr, (signal) => child.kill(signal))
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr, json: () => JSON.parse(stdout) }))
  })
}
