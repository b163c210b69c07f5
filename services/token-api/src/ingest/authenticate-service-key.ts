import { hash } from 'node:crypto'
import { ProblemError } from '@tollgate/shared/contracts'
import { type RpcRow, StoreError } from '@tollgate/shared/store'
import { setBounded } from '../set-bounded.ts'

/** A server's key: its scopes, and the organization that it belongs to (null: the operator's). */
export type ServiceKey = RpcRow<'find_service_key'>

/** Gives the key behind a `tg_…` credential, undefined for one that is unknown or revoked. */
export type AuthenticateServiceKey = (token: string) => Promise<ServiceKey | undefined>

/** What authentication needs from outside. */
export interface ServiceKeyOptions {
  /** Looks a key up by the SHA-256 of its text, 64 hex digits. @throws StoreError */
  readonly findKey: (sha256: string) => Promise<ServiceKey | undefined>
  readonly now: () => number
}

const KEY = /^tg_[\w-]{16,128}$/
const FRESH_MS = 30_000
const UNKNOWN_FRESH_MS = 5_000
const STALE_MS = 10 * 60_000
const RETRY_MS = 1_000
const MAX_KEYS = 10_000

interface Entry {
  readonly key: ServiceKey | undefined
  readonly foundAtMs: number
  /** Not asked for again before this time. */
  askAgainAtMs: number
}

/** Whether a bearer credential has the form of a service key, so that it is nothing else. */
export function looksLikeServiceKey(token: string): boolean {
  return token.startsWith('tg_')
}

/**
 * Makes the check with its cache: a key is good for 30 s without a question, and for up to ten minutes while Postgres
 * is away. Only hashes are kept.
 */
export function createServiceKeyAuthenticator(options: ServiceKeyOptions): AuthenticateServiceKey {
  const entries = new Map<string, Entry>()
  const asking = new Map<string, Promise<ServiceKey | undefined>>()

  return async (token) => {
    if (!KEY.test(token)) return undefined
    const sha256 = hash('sha256', token)
    const entry = entries.get(sha256)
    if (entry !== undefined && options.now() < entry.askAgainAtMs) return entry.key
    const question = asking.get(sha256) ?? ask(sha256, entry, entries, options)
    asking.set(sha256, question)
    return question.finally(() => asking.delete(sha256))
  }
}

async function ask(
  sha256: string,
  entry: Entry | undefined,
  entries: Map<string, Entry>,
  { findKey, now }: ServiceKeyOptions,
): Promise<ServiceKey | undefined> {
  try {
    const key = await findKey(sha256)
    const askAgainAtMs = now() + (key === undefined ? UNKNOWN_FRESH_MS : FRESH_MS)
    setBounded(entries, MAX_KEYS, sha256, { key, foundAtMs: now(), askAgainAtMs })
    return key
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error
    if (entry?.key !== undefined && now() - entry.foundAtMs < STALE_MS) {
      entry.askAgainAtMs = now() + RETRY_MS
      return entry.key
    }
    throw new ProblemError('unavailable', 'The key cannot be checked at present.', {
      cause: error,
      retryAfterSeconds: 2,
    })
  }
}
