import type { Role } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { LRUCache } from 'lru-cache'
import type { GatedClaims } from '../gate/gate.ts'
import { createRecall } from '../recall.ts'
import { readRole } from '../tokens/derive-identity.ts'
import { isOurSessionValue, sessionDigest } from './session-cookie.ts'

/** Whose a session at the proxy is, in the words of an access token. */
export interface SessionClaims extends GatedClaims {
  readonly sub: string
  readonly role: Role
  readonly exp: number
}

/** A session, or why there is none. */
export type KnownSession =
  | { readonly claims: SessionClaims }
  | { readonly reason: 'malformed' | 'expired' | 'session_ended' }

/** The sessions at the proxy, as this instance knows them. */
export interface SessionMemory {
  /** Whose the session of a cookie is; asks Postgres at first sight alone. @throws StoreError at first sight */
  find(value: string): Promise<KnownSession>
  /** The claims of a session that is known and needs no question; undefined says nothing. */
  recall(value: string): SessionClaims | undefined
  /** Drops what is known of a login session. */
  forget(loginSessionId: string): void
}

/** What the memory stands on. */
export interface SessionMemoryOptions {
  /** Any of them may have marked a session's id. */
  readonly keys: readonly Uint8Array[]
  readonly findSession: (sha256: string) => Promise<RpcRow<'find_proxy_session'> | undefined>
  readonly now: () => number
}

// A change of role or membership is seen within the minute; while Postgres is away, sessions go on for a quarter of an hour.
const FRESH_MS = 30_000
const STALE_MS = 15 * 60_000
const MAX_SESSIONS = 20_000

/** A session carries nothing of the organization's rights, so that no change of them can make it stale. */
export const CURRENT_VERSION = Number.MAX_SAFE_INTEGER

/** Makes an empty memory. */
export function rememberSessions({ keys, findSession, now }: SessionMemoryOptions): SessionMemory {
  const { recall, peek, has, forget } = createRecall({
    ask: async (digest) => toSession(await findSession(digest)),
    freshMs: FRESH_MS,
    staleMs: STALE_MS,
    maxEntries: MAX_SESSIONS,
    now,
  })
  // Of values that stand for a session: a digest takes longer than all the rest of an answer.
  const digests = new LRUCache<string, string>({ max: MAX_SESSIONS })
  const isOver = ({ claims }: { claims: SessionClaims }): boolean => claims.exp * 1_000 <= now()
  return {
    find: async (value) => {
      const digest = sessionDigest(value)
      if (!has(digest) && !keys.some((key) => isOurSessionValue(value, key))) return { reason: 'malformed' }
      const session = await recall(digest)
      if ('claims' in session && isOver(session)) return { reason: 'expired' }
      if ('claims' in session) digests.set(value, digest)
      return session
    },
    recall: (value) => {
      const digest = digests.get(value)
      const session = digest === undefined ? undefined : peek(digest)
      return session !== undefined && 'claims' in session && !isOver(session) ? session.claims : undefined
    },
    forget: (loginSessionId) => forget((session) => 'claims' in session && session.claims.sid === loginSessionId),
  }
}

function toSession(row: RpcRow<'find_proxy_session'> | undefined): KnownSession {
  if (row === undefined) return { reason: 'expired' }
  if (row.ended) return { reason: 'session_ended' }
  return {
    claims: {
      sub: row.user_id,
      sid: row.login_session_id,
      jti: row.token_id,
      role: readRole(row.role),
      organization: { id: row.organization_id },
      exp: toEpochSeconds(row.expires_at),
      ver: CURRENT_VERSION,
    },
  }
}

function toEpochSeconds(time: string): number {
  return Math.floor(Date.parse(time) / 1_000)
}
