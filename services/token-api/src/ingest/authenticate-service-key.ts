import { hash, timingSafeEqual } from 'node:crypto'
import { ProblemError, SCOPES } from '@tollgate/shared/contracts'
import { type RpcRow, StoreError } from '@tollgate/shared/store'
import { LRUCache } from 'lru-cache'

/** A server's key: its scopes, and the organization that it belongs to (null: the operator's). */
export type ServiceKey = RpcRow<'find_service_key'>

/**
 * Gives the key behind a `tg_…` credential, undefined for one that is unknown, revoked or expired. Whoever has the SHA-256
 * of the credential already gives it along.
 */
export type AuthenticateServiceKey = (token: string, sha256?: string) => Promise<ServiceKey | undefined>

/** Authentication with its cache, which can be told of changes. */
export interface ServiceKeyCache {
  readonly authenticate: AuthenticateServiceKey
  /** The key with this SHA-256 if it is good without a question, at this moment; undefined says nothing about it. */
  recall(sha256: string): ServiceKey | undefined
  /** Drops a key that was changed: what was asked before counts no longer, not even an answer under way. */
  forget(keyId: string): void
  /** Messages may have been missed: every key is asked for anew before it is believed. */
  distrust(): void
}

/** What authentication needs from outside. */
export interface ServiceKeyOptions {
  /** Looks a key up by the SHA-256 of its text, 64 hex digits. @throws StoreError */
  readonly findKey: (sha256: string) => Promise<ServiceKey | undefined>
  readonly now: () => number
  /** The operator's first key, from the environment; it has every scope and needs no database. */
  readonly bootstrapKey?: string | undefined
  readonly onUsed?: (keyId: string) => void
}

/** The id under which the acts of the key from the environment are on record. */
const BOOTSTRAP_KEY_ID = 'bootstrap'
/** How long a key is believed without a question: the bound for a message of its revocation that got lost. */
export const KEY_LEASE_MS = 2_000

const KEY = /^tg_[\w-]{16,128}$/
const ASK_AHEAD_MS = 1_000
const UNKNOWN_FRESH_MS = 5_000
const STALE_MS = 10 * 60_000
const RETRY_MS = 1_000
const MAX_KEYS = 10_000

interface Entry {
  readonly key: ServiceKey | undefined
  readonly foundAtMs: number
  /** Not asked for before this time; between the two it is asked for while the known answer is given. */
  askAgainAtMs: number
  believedUntilMs: number
}

interface State extends ServiceKeyOptions {
  readonly entries: LRUCache<string, Entry>
  readonly asking: Map<string, Promise<ServiceKey | undefined>>
  /** Rises when something is forgotten: an answer to an older question is not kept. */
  generation: number
}

/** Whether a bearer credential has the form of a service key, so that it is nothing else. */
export function looksLikeServiceKey(token: string): boolean {
  return token.startsWith('tg_')
}

/**
 * Makes the check with its cache: a key is good for two seconds without a question, and for up to ten minutes while
 * Postgres, where alone it could be revoked, is away. Only hashes are kept.
 */
export function createServiceKeyCache(options: ServiceKeyOptions): ServiceKeyCache {
  const state: State = { ...options, entries: new LRUCache({ max: MAX_KEYS }), asking: new Map(), generation: 0 }
  const isBootstrapKey = compareWith(options.bootstrapKey)
  return {
    authenticate: async (token, sha256 = hash('sha256', token)) => {
      if (!KEY.test(token)) return undefined
      if (isBootstrapKey(sha256)) return BOOTSTRAP
      return use(await look(sha256, state), state)
    },
    recall: (sha256) => {
      const entry = state.entries.get(sha256)
      return entry !== undefined && isFresh(entry, options.now()) ? use(entry.key, state) : undefined
    },
    forget: (keyId) => {
      beginGeneration(state)
      for (const [sha256, { key }] of [...state.entries]) if (key?.id === keyId) state.entries.delete(sha256)
    },
    distrust: () => {
      beginGeneration(state)
      for (const entry of state.entries.values()) entry.askAgainAtMs = entry.believedUntilMs = Number.NEGATIVE_INFINITY
    },
  }
}

const BOOTSTRAP: ServiceKey = { id: BOOTSTRAP_KEY_ID, scopes: [...SCOPES], organization_id: null, expires_at: null }

// In constant time, and of hashes, so that neither the key nor how much of it is right shows in the time taken.
function compareWith(key: string | undefined): (sha256: string) => boolean {
  if (key === undefined) return () => false
  const expected = Buffer.from(hash('sha256', key))
  return (sha256) => timingSafeEqual(Buffer.from(sha256), expected)
}

function use(key: ServiceKey | undefined, { now, onUsed }: State): ServiceKey | undefined {
  if (key === undefined || (key.expires_at !== null && Date.parse(key.expires_at) <= now())) return undefined
  onUsed?.(key.id)
  return key
}

// Of the future: the clock was set back, and the answer would be believed for as long as that was far.
const isBelieved = (entry: Entry, nowMs: number): boolean => nowMs >= entry.foundAtMs && nowMs < entry.believedUntilMs

const isFresh = (entry: Entry, nowMs: number): boolean => isBelieved(entry, nowMs) && nowMs < entry.askAgainAtMs

// Whoever comes after this must not be answered from a question that was put before it.
function beginGeneration(state: State): void {
  state.generation += 1
  state.asking.clear()
}

async function look(sha256: string, state: State): Promise<ServiceKey | undefined> {
  const entry = state.entries.get(sha256)
  if (entry !== undefined && isFresh(entry, state.now())) return entry.key
  const question = state.asking.get(sha256) ?? ask(sha256, entry, state)
  if (entry !== undefined && isBelieved(entry, state.now())) {
    // Nobody waits for this answer; its fault comes up when one is needed.
    question.catch(() => undefined)
    return entry.key
  }
  return question
}

function ask(sha256: string, entry: Entry | undefined, state: State): Promise<ServiceKey | undefined> {
  const question = find(sha256, entry, state).finally(() => {
    if (state.asking.get(sha256) === question) state.asking.delete(sha256)
  })
  state.asking.set(sha256, question)
  return question
}

async function find(sha256: string, entry: Entry | undefined, state: State): Promise<ServiceKey | undefined> {
  const { generation, entries, findKey, now } = state
  try {
    const key = await findKey(sha256)
    if (state.generation !== generation) return key
    const [askMs, believeMs] = key ? [ASK_AHEAD_MS, KEY_LEASE_MS] : [UNKNOWN_FRESH_MS, UNKNOWN_FRESH_MS]
    const foundAtMs = now()
    const times = { askAgainAtMs: foundAtMs + askMs, believedUntilMs: foundAtMs + believeMs }
    entries.set(sha256, { key, foundAtMs, ...times })
    return key
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error
    const isKnown = entry?.key !== undefined && entries.get(sha256) === entry && now() - entry.foundAtMs < STALE_MS
    if (isKnown) {
      entry.askAgainAtMs = now() + RETRY_MS
      entry.believedUntilMs = entry.foundAtMs + STALE_MS
      return entry.key
    }
    throw new ProblemError('unavailable', 'The key cannot be checked at present.', {
      cause: error,
      retryAfterSeconds: 2,
    })
  }
}
