/** What went wrong with a call of a SQL function, from the caller's point of view. */
export type StoreErrorCode = 'unavailable' | 'conflict' | 'invalid' | 'denied' | 'internal'

/** Details of a `StoreError`. */
export interface StoreErrorDetails {
  readonly code: StoreErrorCode
  /** Whether the same call may succeed when it is simply repeated (our functions are idempotent). */
  readonly retryable: boolean
  /** The SQLSTATE or PostgREST code, when there is one. */
  readonly sqlState?: string | undefined
  readonly cause?: unknown
}

/** The one error of the store, whichever transport was used. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  readonly retryable: boolean
  readonly sqlState: string | undefined

  constructor(message: string, { code, retryable, sqlState, cause }: StoreErrorDetails) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = retryable
    this.sqlState = sqlState
  }
}

/** Whether an error is a `StoreError` that a repetition may heal. */
export function isRetryableStoreError(error: unknown): boolean {
  return error instanceof StoreError && error.retryable
}
