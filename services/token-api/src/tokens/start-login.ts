import type { webcrypto } from 'node:crypto'
import { type AccessTokenClaims, ProblemError } from '@tollgate/shared/contracts'
import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import { explainRevocation } from '../gate/explain-refusal.ts'
import { hashToken, signRefreshToken } from '../sessions/refresh-token.ts'
import { buildClaims } from './build-claims.ts'

/** One row of `start_logins`. */
export type LoginStart = RpcArgs<'start_logins'>['batch']['logins'][number]

/** Lifetimes, in seconds. */
export interface Lifetimes {
  readonly access: number
  readonly refresh: number
  /** Of a login session, however often it is refreshed. */
  readonly session: number
}

/** What a login needs from outside. */
export interface LoginDependencies {
  /** Undefined for a user who is unknown or belongs to no organization. @throws StoreError */
  readonly startLogin: (login: LoginStart) => Promise<RpcRow<'start_logins'> | undefined>
  readonly refreshKey: webcrypto.CryptoKey
  readonly lifetimes: Lifetimes
  /** Refuse nobody for an enforcement state. */
  readonly observe: boolean
  readonly now: () => number
  readonly newId: () => string
}

/** Who signs in, and how. */
export interface LoginRequest {
  readonly userId: string
  readonly kind: LoginStart['kind']
  readonly supabaseSessionId?: string | undefined
  readonly userAgent?: string | undefined
  /** The key that asks for somebody else's token, for the record. */
  readonly actor?: string | undefined
  /** Absent: a new one. */
  readonly loginSessionId?: string
}

/** What a login gives out. */
export interface Login {
  readonly claims: AccessTokenClaims
  /** Only a browser's own sign-in gets one. */
  readonly refresh?: { readonly token: string; readonly expiresAt: number }
}

const MAX_USER_AGENT = 300

/**
 * Starts a login session for a user. The session, its start on record and the event that says so are one transaction,
 * and nothing is signed before its commit.
 * @throws ProblemError `forbidden` without an organization, `unauthenticated` when the Supabase session was signed out,
 *   `organization-revoked`, `unavailable`
 */
export async function startLogin(request: LoginRequest, dependencies: LoginDependencies): Promise<Login> {
  const { startLogin: start, lifetimes, now, newId } = dependencies
  const issuedAt = Math.floor(now() / 1_000)
  const sid = request.loginSessionId ?? newId()
  const end = issuedAt + (request.kind === 'server' ? lifetimes.access : lifetimes.session)
  const refresh =
    request.kind === 'browser' ? await firstRefresh(request.userId, sid, issuedAt, end, dependencies) : undefined
  const row = await start({
    session_id: sid,
    user_id: request.userId,
    kind: request.kind,
    supabase_session_id: request.supabaseSessionId,
    user_agent: request.userAgent?.toWellFormed().replaceAll('\0', '').slice(0, MAX_USER_AGENT),
    issued_at: toIsoTime(issuedAt),
    access_expires_at: toIsoTime(Math.min(issuedAt + lifetimes.access, end)),
    ends_at: toIsoTime(end),
    observe: dependencies.observe,
    actor: request.actor,
    ...(refresh ? { refresh_hash: hashToken(refresh.token), refresh_expires_at: toIsoTime(refresh.expiresAt) } : {}),
  })
  const login = requireLogin(row, dependencies.observe)
  const ttlSeconds = Math.min(lifetimes.access, end - issuedAt)
  const claims = buildClaims(login, { issuedAt, ttlSeconds, tokenId: newId(), loginSessionId: sid })
  return refresh ? { claims, refresh } : { claims }
}

async function firstRefresh(sub: string, sid: string, iat: number, end: number, dependencies: LoginDependencies) {
  const exp = Math.min(iat + dependencies.lifetimes.refresh, end)
  const token = await signRefreshToken({ sub, sid, gen: 0, iat, exp, end }, dependencies.refreshKey)
  return { token, expiresAt: exp }
}

function requireLogin(row: RpcRow<'start_logins'> | undefined, observe: boolean) {
  if (row === undefined) {
    throw new ProblemError('forbidden', 'The user belongs to no organization.', {
      extensions: { reason: 'no_organization' },
    })
  }
  if (row.signed_out) {
    throw new ProblemError('unauthenticated', 'The Supabase session was signed out: sign in again.', {
      extensions: { reason: 'signed_out' },
    })
  }
  if (row.login.state === 'revoked' && !observe) throw explainRevocation(row.login)
  return row.login
}

/** Seconds since the epoch, as in `iat` and `exp`, in RFC 3339. */
export function toIsoTime(epochSeconds: number): string {
  return new Date(epochSeconds * 1_000).toISOString()
}
