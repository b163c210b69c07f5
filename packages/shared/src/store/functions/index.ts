import type { AccountFunctions } from './account-functions.ts'
import type { AuditFunctions } from './audit-functions.ts'
import type { BooksFunctions } from './books-functions.ts'
import type { GrantFunctions } from './grant-functions.ts'
import type { IdempotencyFunctions } from './idempotency-functions.ts'
import type { IntakeFunctions } from './intake-functions.ts'
import type { KeyFunctions } from './key-functions.ts'
import type { LiveFunctions } from './live-functions.ts'
import type { LoginFunctions } from './login-functions.ts'
import type { ProxyFunctions } from './proxy-functions.ts'
import type { QuotaFunctions } from './quota-functions.ts'
import type { ReportFunctions } from './report-functions.ts'
import type { ReservationFunctions } from './reservation-functions.ts'
import type { UsageFunctions } from './usage-functions.ts'
import type { UserQuotaFunctions } from './user-quota-functions.ts'
import type { WebhookFunctions } from './webhook-functions.ts'

/**
 * The SQL functions in `public` that the services call: name → arguments and the row it returns.
 * Every function is `returns table (…)`; bigint and numeric columns are handed over as text.
 * What each does, returns and locks stands in the header of infra/supabase/schemas/40-functions/<name>.sql.
 */
export type RpcFunctions = {
  tollgate_ping: { args: Record<never, never>; row: { ok: boolean; now: string } }
} & UsageFunctions &
  IntakeFunctions &
  AccountFunctions &
  LiveFunctions &
  LoginFunctions &
  AuditFunctions &
  BooksFunctions &
  GrantFunctions &
  KeyFunctions &
  IdempotencyFunctions &
  ProxyFunctions &
  QuotaFunctions &
  ReportFunctions &
  ReservationFunctions &
  UserQuotaFunctions &
  WebhookFunctions

/** The name of a callable SQL function. */
export type RpcName = keyof RpcFunctions & string
/** The arguments of a SQL function. */
export type RpcArgs<F extends RpcName> = RpcFunctions[F]['args']
/** One row that a SQL function returns. */
export type RpcRow<F extends RpcName> = RpcFunctions[F]['row']

/**
 * Calls a SQL function, in a transaction of its own, and gives its rows.
 * @throws StoreError
 */
export type Rpc = <F extends RpcName>(fn: F, args: RpcArgs<F>) => Promise<RpcRow<F>[]>

/** An `Rpc` with the connections behind it. */
export interface RpcStore {
  readonly rpc: Rpc
  close(): Promise<void>
}
