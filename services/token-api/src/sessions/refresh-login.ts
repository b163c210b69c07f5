import type { webcrypto } from 'node:crypto'
import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import { explainRevocation } from '../gate/explain-refusal.ts'
import { buildClaims } from '../tokens/build-claims.ts'
import { type Lifetimes, type Login, toIsoTime } from '../tokens/start-login.ts'
import { hashToken, type RefreshClaims, signRefreshToken, verifyRefreshToken } from './refresh-token.ts'
import { type RefreshRefusal, refuseRefresh } from './refuse-refresh.ts'

type Continued = RpcRow<'continue_login'>

/** What a refresh needs from outside. */
export interface RefreshDependencies {
  /** @throws StoreError */
  readonly continueLogin: (attempt: RpcArgs<'continue_login'>['attempt']) => Promise<Continued>
  /** Tells every gate. @throws ProblemError `unavailable` */
  readonly announce: (revoked: Continued['revoked'], deafMs: number) => Promise<void>
  readonly refreshKey: webcrypto.CryptoKey
  readonly lifetimes: Lifetimes
  /** Refuse nobody for an enforcement state. */
  readonly observe: boolean
  readonly now: () => number
  readonly newId: () => string
  readonly onOutcome: (outcome: Continued['outcome'] | 'refused') => void
}

// Two tabs that refresh with the same token, or an answer that was lost, are no theft.
const GRACE_SECONDS = 10

/**
 * Rotates a refresh token and issues an access token with what now holds. The predecessor within ten seconds gets the
 * same successor; any other older token ends the login session, before the answer and on every gate.
 * @throws ProblemError `unauthenticated` with `reason`, `organization-revoked`, `unavailable`
 */
export async function refreshLogin(token: string, dependencies: RefreshDependencies): Promise<Login> {
  const { continueLogin, announce, refreshKey, lifetimes, now, onOutcome } = dependencies
  const verdict = await verifyRefreshToken(token, refreshKey, now())
  if ('reason' in verdict) {
    onOutcome('refused')
    throw refuseRefresh(verdict.reason)
  }
  const held = verdict.claims
  const iat = Math.floor(now() / 1_000)
  const next = { ...held, gen: held.gen + 1, iat, exp: Math.min(iat + lifetimes.refresh, held.end) }
  const row = await continueLogin({
    session_id: held.sid,
    access_expires_at: toIsoTime(Math.min(iat + lifetimes.access, held.end)),
    observe: dependencies.observe,
    refresh: {
      hash: hashToken(token),
      next_hash: hashToken(await signRefreshToken(next, refreshKey)),
      issued_at: toIsoTime(next.iat),
      expires_at: toIsoTime(next.exp),
      grace_seconds: GRACE_SECONDS,
    },
  })
  onOutcome(row.outcome)
  if (row.revoked.length > 0) await announce(row.revoked, row.deaf_ms)
  return answer(row, held, iat, dependencies)
}

async function answer(
  row: Continued,
  held: RefreshClaims,
  issuedAt: number,
  { refreshKey, lifetimes, newId }: RefreshDependencies,
): Promise<Login> {
  const { outcome, login } = row
  if (outcome === 'organization_revoked' && login !== null) throw explainRevocation(login)
  if ((outcome !== 'continued' && outcome !== 'repeated') || login === null) throw refuseRefresh(reasonOf(outcome))
  // What Postgres holds, and not what was proposed: of several that raced, one has won and all get its token.
  const iat = toSeconds(row.refresh_issued_at)
  const exp = toSeconds(row.refresh_expires_at)
  const refresh = await signRefreshToken({ ...held, gen: row.generation ?? 0, iat, exp }, refreshKey)
  const ttlSeconds = Math.min(lifetimes.access, held.end - issuedAt)
  const claims = buildClaims(login, { issuedAt, ttlSeconds, tokenId: newId(), loginSessionId: held.sid })
  return { claims, refresh: { token: refresh, expiresAt: exp } }
}

function toSeconds(time: string | null): number {
  return Math.floor(Date.parse(time ?? '') / 1_000)
}

function reasonOf(outcome: Continued['outcome']): RefreshRefusal {
  if (outcome === 'reused') return 'refresh_reused'
  return outcome === 'expired' ? 'expired' : 'session_ended'
}
