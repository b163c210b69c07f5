import type { ClientBase } from 'pg'
import { StoreError } from './store-error.ts'

/** A number of connections that all processes of a kind share, whatever their number. */
export interface ConnectionSlots {
  /** Which kind: the first key of the advisory locks. */
  readonly kind: number
  readonly limit: number
}

// `limit 1` over a function's rows tries one lock after the other and stops at the first that is free.
const TAKE = `select k from generate_series(1, $2::integer) k where pg_try_advisory_lock($1::integer, k) limit 1`

/**
 * Takes one of the slots for a connection, and keeps it for as long as the connection lives: Postgres gives the lock
 * back when the connection ends, however it ends. Needs a direct or session-mode connection.
 * @throws StoreError retryable, when all are taken; the connection is to be closed then
 */
export async function takeSlot(client: ClientBase, { kind, limit }: ConnectionSlots): Promise<void> {
  const { rows } = await client.query(TAKE, [kind, limit])
  if (rows.length === 0) {
    throw new StoreError(`all ${limit} connections are taken`, { code: 'unavailable', retryable: true })
  }
}
