import type { StoreSettings } from '../config/index.ts'
import { createPgRpc } from './create-pg-rpc.ts'
import { createSupabaseRpc } from './create-supabase-rpc.ts'
import type { RpcStore } from './functions/index.ts'
import type { ConnectionSlots } from './take-slot.ts'

/** What a service says of its use of the store. */
export interface StoreUse {
  readonly applicationName: string
  /** Connections at most (direct Postgres only). */
  readonly maxConnections: number
  /** Connections shared with the same service's other processes (direct Postgres only). */
  readonly slots?: ConnectionSlots
  readonly statementTimeoutMs: number
  /** Direct Postgres only. Default 2000. */
  readonly connectTimeoutMs?: number
  /** Told about connections that die while idle. */
  readonly onError: (error: Error) => void
}

/** Opens the store over the transport that the configuration chose; connects at the first call. */
export function openStore(settings: StoreSettings, use: StoreUse): RpcStore {
  if (settings.transport === 'supabase') {
    return createSupabaseRpc({ url: settings.url, secretKey: settings.secretKey, timeoutMs: use.statementTimeoutMs })
  }
  return createPgRpc({
    connectionString: settings.connectionString,
    max: use.maxConnections,
    applicationName: use.applicationName,
    statementTimeoutMs: use.statementTimeoutMs,
    onError: use.onError,
    ...(use.slots === undefined ? {} : { slots: use.slots }),
    ...(use.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: use.connectTimeoutMs }),
  })
}
