import { createClient } from '@supabase/supabase-js'
import { fromHttpFailure } from './classify-error.ts'
import type { RpcArgs, RpcName, RpcRow, RpcStore } from './functions/index.ts'
import { toIsoTime } from './iso-time.ts'
import { StoreError } from './store-error.ts'

/** How to reach Postgres through a Supabase project's HTTP API, with its secret key. */
export interface SupabaseRpcOptions {
  readonly url: string
  readonly secretKey: string
  readonly timeoutMs: number
}

/** An `Rpc` over supabase-js: one HTTP request, one transaction. */
export function createSupabaseRpc({ url, secretKey, timeoutMs }: SupabaseRpcOptions): RpcStore {
  const client = createClient(url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  })

  async function rpc<F extends RpcName>(fn: F, args: RpcArgs<F>): Promise<RpcRow<F>[]> {
    // Repeating is for withRetry alone: two layers of it would multiply the load on a database in trouble.
    const signal = AbortSignal.timeout(timeoutMs)
    const answer = await client.rpc(fn, toJson(args)).retry(false).abortSignal(signal)
    if (answer.error) throw fromHttpFailure(fn, { status: answer.status, error: answer.error })
    if (!isRows<RpcRow<F>>(answer.data)) {
      throw new StoreError(`${fn}: the answer is not a table`, { code: 'internal', retryable: false })
    }
    return answer.data.map(withIsoTimes)
  }

  return { rpc, close: () => client.removeAllChannels().then(() => undefined) }
}

// JSON has no bigint; Postgres reads the text form as well.
function toJson(args: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(args, (_, value) => (typeof value === 'bigint' ? value.toString() : value)))
}

const POSTGRES_TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d\d(?::\d\d)?$/

// @supabase/lite hands times over as Postgres prints them, PostgREST as ISO 8601.
function withIsoTimes<Row extends object>(row: Row): Row {
  const copy: Row = { ...row }
  for (const [column, value] of Object.entries(row)) {
    if (typeof value === 'string' && POSTGRES_TIME.test(value)) Reflect.set(copy, column, toIsoTime(value))
  }
  return copy
}

function isRows<Row extends object>(data: unknown): data is Row[] {
  return Array.isArray(data)
}
