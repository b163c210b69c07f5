import pg from 'pg'
import { buildCall } from './build-call.ts'
import { fromPgError } from './classify-error.ts'
import type { RpcArgs, RpcName, RpcRow, RpcStore } from './functions/index.ts'
import { toIsoTime } from './iso-time.ts'
import { StoreError } from './store-error.ts'
import { type ConnectionSlots, takeSlot } from './take-slot.ts'

/** How to reach Postgres directly. */
export interface PgRpcOptions {
  readonly connectionString: string
  /** Connections at most. */
  readonly max: number
  /** Role to switch to on each connection; needs a direct or session-mode connection. */
  readonly role?: string
  /** Connections that this pool shares with those of other processes; it then keeps its last one. */
  readonly slots?: ConnectionSlots
  readonly applicationName: string
  readonly statementTimeoutMs: number
  readonly connectTimeoutMs?: number
  /** Plan each function once a connection; off by default, since transaction pooling has no prepared statements. */
  readonly prepare?: boolean
  /** Told about connections that die while idle; without it the process would. */
  readonly onError: (error: Error) => void
}

const CLIENT_GRACE_MS = 1_000
const SLOT_RETRY_MS = 1_000
const OID = { date: 1082, timestamp: 1114, timestamptz: 1184 } as const

/** An `Rpc` over a pool of Postgres connections; connections are opened at the first call. */
export function createPgRpc(options: PgRpcOptions): RpcStore {
  const pool = createPool(options)
  pool.on('error', options.onError)
  // A connection that is cut during a query also emits 'error', when nobody else listens: the query itself rejects.
  pool.on('connect', (client) => client.on('error', () => undefined))
  let closed: Promise<void> | undefined
  // While all slots are taken, a pool without a connection asks for one every second or two, and not at every call.
  let refusal: { readonly error: StoreError; readonly untilMs: number } | undefined

  async function connect(fn: string): Promise<pg.PoolClient> {
    if (refusal !== undefined && pool.totalCount === 0 && performance.now() < refusal.untilMs) throw refusal.error
    try {
      return await pool.connect()
    } catch (error) {
      if (error instanceof StoreError) {
        refusal = { error, untilMs: performance.now() + SLOT_RETRY_MS * (1 + Math.random()) }
      }
      throw fromPgError(fn, error)
    }
  }

  async function rpc<F extends RpcName>(fn: F, args: RpcArgs<F>): Promise<RpcRow<F>[]> {
    const call = buildCall(fn, args)
    const client = await connect(fn)
    let failure: ReturnType<typeof fromPgError> | undefined
    try {
      const name = options.prepare ? { name: call.text.slice(0, 63) } : {}
      const result = await client.query<RpcRow<F>>({ ...call, ...name, types: { getTypeParser } })
      return result.rows
    } catch (error) {
      failure = fromPgError(fn, error)
      throw failure
    } finally {
      // pool.query() would drop the connection after any error; only a broken one has to go.
      client.release(failure?.code === 'unavailable')
    }
  }

  return {
    rpc,
    close: () => {
      closed ??= pool.end()
      return closed
    },
  }
}

function createPool(options: PgRpcOptions): pg.Pool {
  const { role, slots, statementTimeoutMs } = options
  return new pg.Pool({
    connectionString: options.connectionString,
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 2_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    // The server stops a slow statement; this one notices a server that no longer answers at all.
    query_timeout: statementTimeoutMs + CLIENT_GRACE_MS,
    // Whoever has a slot stays at work; an idle pool that gave up its last one might not get another.
    ...(slots === undefined ? {} : { min: 1 }),
    onConnect: async (client: pg.ClientBase) => {
      if (slots !== undefined) await takeSlot(client, slots)
      if (role !== undefined) await switchRole(client, role)
    },
  })
}

async function switchRole(client: pg.ClientBase, role: string): Promise<void> {
  await client.query(`set role ${pg.escapeIdentifier(role)}`)
}

// Times as PostgREST writes them, so that both transports give the same rows; `pg` would make local-time Dates.
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (format === 'binary') return pg.types.getTypeParser(oid, 'binary')
  if (oid === OID.date) return String
  if (oid === OID.timestamp || oid === OID.timestamptz) return toIsoTime
  return pg.types.getTypeParser(oid, 'text')
}
