import { StoreError, type StoreErrorCode } from './store-error.ts'

interface Verdict {
  readonly code: StoreErrorCode
  readonly retryable: boolean
}

const UNAVAILABLE: Verdict = { code: 'unavailable', retryable: true }
const CONTENDED: Verdict = { code: 'conflict', retryable: true }
const CONFLICT: Verdict = { code: 'conflict', retryable: false }
const INVALID: Verdict = { code: 'invalid', retryable: false }
const DENIED: Verdict = { code: 'denied', retryable: false }
const INTERNAL: Verdict = { code: 'internal', retryable: false }

// Longest prefix first. PostgreSQL 18, appendix A, and https://docs.postgrest.org/en/stable/references/errors.html
const BY_PREFIX: readonly (readonly [string, Verdict])[] = [
  ['40P01', CONTENDED], // deadlock
  ['40001', CONTENDED], // serialization failure
  ['55P03', CONTENDED], // lock not available
  ['55006', CONTENDED], // object in use
  ['57014', UNAVAILABLE], // statement timeout
  ['25006', UNAVAILABLE], // read-only after a fail-over
  ['58030', UNAVAILABLE], // I/O error
  ['23505', CONFLICT],
  ['23P01', CONFLICT],
  ['42501', DENIED],
  ['P0001', INVALID], // raise exception in our own functions
  ['PGRST0', UNAVAILABLE], // PostgREST cannot reach Postgres
  ['PGRST3', DENIED], // its JWT errors
  ['08', UNAVAILABLE],
  ['53', UNAVAILABLE],
  ['57P', UNAVAILABLE],
  ['22', INVALID],
  ['23', INVALID],
  ['28', DENIED],
]

/** Judges by SQLSTATE or PostgREST code; undefined when the code is not one of theirs. */
function judgeCode(code: string | undefined): Verdict | undefined {
  if (code === undefined || !/^(?:[0-9A-Z]{5}|PGRST\w+)$/.test(code)) return undefined
  return BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1] ?? INTERNAL
}

/** Makes a `StoreError` of what `pg` threw: a SQLSTATE, or else a fault of the connection. */
export function fromPgError(fn: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const sqlState = stringProperty(error, 'code')
  const isOurMistake = error instanceof TypeError || error instanceof RangeError
  const verdict = judgeCode(sqlState) ?? (isOurMistake ? INTERNAL : UNAVAILABLE)
  return new StoreError(`${fn}: ${messageOf(error)}`, { ...verdict, sqlState, cause: error })
}

/** The parts of a failed `.rpc()` that tell what happened; `status` is 0 when no answer came. */
export interface HttpFailure {
  readonly status: number
  readonly error: { readonly code?: string; readonly message: string; readonly details?: string | null }
}

/** Makes a `StoreError` of a failed `.rpc()`. */
export function fromHttpFailure(fn: string, { status, error }: HttpFailure): StoreError {
  const sqlState = error.code === '' ? undefined : error.code
  const verdict = judgeCode(sqlState) ?? judgeStatus(status)
  return new StoreError(`${fn}: ${error.message} (HTTP ${status})`, { ...verdict, sqlState, cause: error })
}

function judgeStatus(status: number): Verdict {
  if (status === 0 || status >= 500 || status === 408 || status === 429) return UNAVAILABLE
  if (status === 401 || status === 403) return DENIED
  if (status === 409) return CONFLICT
  if (status === 400 || status === 413 || status === 422) return INVALID
  return INTERNAL
}

function stringProperty(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found: unknown = Reflect.get(value, key)
  return typeof found === 'string' ? found : undefined
}

function messageOf(error: unknown): string {
  // Node reports a refused connection to a name with two addresses as an AggregateError without a message.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
