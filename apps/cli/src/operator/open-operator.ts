import { readStackFile } from '@tollgate/local-stack'
import { createPgRpc, createSupabaseRpc, type Rpc, type RpcStore } from '@tollgate/shared/store'
import { CliError, EXIT } from './cli-error.ts'

/** Where an operator's command finds the database. */
export interface OperatorFlags {
  readonly json?: boolean
  readonly databaseUrl?: string
  readonly dir?: string
}

/** What an operator's command works with. */
export interface Operator {
  readonly rpc: Rpc
  close(): Promise<void>
}

/** An operator's statement may take its time, but a lost server is noticed. */
const STATEMENT_TIMEOUT_MS = 10 * 60_000

/**
 * Opens the database as its owner, or as the project's secret key: `--database-url`, else DATABASE_URL, else the stack
 * that runs in `--dir`, else SUPABASE_URL with SUPABASE_SECRET_KEY. Connects at the first call.
 * @throws CliError when nothing says where the database is
 */
export function openOperator({ databaseUrl, dir }: OperatorFlags, env: NodeJS.ProcessEnv): Operator {
  const given = databaseUrl ?? env.DATABASE_URL
  if (given !== undefined && given !== '') return openPostgres(given)
  const stack = readStackFile(dir)
  if (stack) return openPostgres(stack.databaseUrl)
  const { SUPABASE_URL: url, SUPABASE_SECRET_KEY: secretKey } = env
  if (url && secretKey) return createSupabaseRpc({ url, secretKey, timeoutMs: STATEMENT_TIMEOUT_MS })
  throw new CliError(
    'No database: give --database-url or DATABASE_URL (as its owner), or start a stack with `npx -y pnpm@12 start`.',
    EXIT.misused,
  )
}

function openPostgres(connectionString: string): RpcStore {
  if (!URL.canParse(connectionString)) throw new CliError('The database URL is no URL.', EXIT.misused)
  return createPgRpc({
    connectionString,
    max: 2,
    applicationName: 'tollgate-cli',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: 5_000,
    // A connection that dies while idle is replaced at the next call, which reports a fault of its own.
    onError: () => undefined,
  })
}
