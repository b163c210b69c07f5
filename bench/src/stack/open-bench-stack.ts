import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Stack, startStack } from '@tollgate/local-stack'
import pg from 'pg'
import { BenchError } from '../bench-error.ts'
import { useWalOnce } from './use-wal-once.ts'

/** A fresh stack for measuring, with what the bench needs to know of it. */
export interface BenchStack {
  readonly stack: Stack
  readonly tokenApi: string
  readonly ingestKey: string
  /** The key with which the stack's access tokens are signed, so that the bench can sign some. */
  readonly tokenSecret: string
  /** The same of its refresh tokens. */
  readonly refreshSecret: string
  /** Superuser connections, for set-up and for looking at totals. */
  readonly db: pg.Pool
  readonly dir: string
  stop(): Promise<void>
}

// A directory of its own in the clone: locked, so that two benches do not measure each other; on a real disk, which
// /tmp need not be; and what a killed bench left in it is ended and removed by the next. Git ignores its name.
const DIR = resolve(import.meta.dirname, '../../.tollgate')

/** Starts the whole stack, durable, on an empty directory; `stop` removes it. The dashboard runs for those who measure it. */
export async function openBenchStack(
  signal: AbortSignal,
  log: (line: string) => void,
  { dashboard }: { readonly dashboard: boolean },
): Promise<BenchStack> {
  const tokenSecret = randomBytes(36).toString('base64url')
  const refreshSecret = randomBytes(36).toString('base64url')
  let failure: string | null = null
  const stack = await startStack({
    dir: DIR,
    fresh: true,
    durable: true,
    dashboard,
    signal,
    log,
    env: {
      ...process.env,
      NODE_ENV: 'production',
      LOG_LEVEL: 'warn',
      LIBRECHAT_JWT_SECRET: tokenSecret,
      JWT_REFRESH_SECRET: refreshSecret,
      // One caller sends all the load.
      RATE_LIMITS: 'off',
    },
    hooks: {
      onUnexpectedExit: (name, _exit, lastLines) => {
        failure ??= `${name} ended during the bench. Its last lines:\n${lastLines}`
      },
    },
  })
  const db = new pg.Pool({ connectionString: stack.databaseUrl, max: 4 })
  db.on('error', () => undefined)
  log("Using PostgreSQL's WAL once …")
  await useWalOnce(db)
  const { tokenApi, ingestKey } = stack.describe()
  const stop = async () => {
    await db.end()
    await stack.stop()
    rmSync(DIR, { recursive: true, force: true })
    if (failure !== null) throw new BenchError(failure)
  }
  return { stack, tokenApi, ingestKey, tokenSecret, refreshSecret, db, dir: DIR, stop }
}
