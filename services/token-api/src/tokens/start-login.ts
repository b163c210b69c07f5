import { type AcceptedEvent, type AccessTokenClaims, ProblemError } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { explainRevocation } from '../gate/explain-refusal.ts'
import { buildClaims } from './build-claims.ts'

/** What a login needs from outside. */
export interface LoginDependencies {
  readonly findLogin: (userId: string) => Promise<RpcRow<'find_login'> | undefined>
  /** Resolves when the events are on disk. @throws ProblemError `unavailable` */
  readonly admit: (events: AcceptedEvent[]) => Promise<unknown>
  readonly ttlSeconds: number
  readonly now: () => number
  readonly newId: () => string
}

/**
 * Starts a login session for a user and gives the claims that say so. No token exists before the login is on record.
 * @throws ProblemError `forbidden` without an organization, `organization-revoked`, `unavailable`
 */
export async function startLogin(userId: string, dependencies: LoginDependencies): Promise<AccessTokenClaims> {
  const { findLogin, admit, ttlSeconds, now, newId } = dependencies
  const row = await findLogin(userId)
  if (row === undefined) {
    throw new ProblemError('forbidden', 'The user belongs to no organization.', {
      extensions: { reason: 'no_organization' },
    })
  }
  if (row.state === 'revoked') throw explainRevocation(row)
  const issuedAt = Math.floor(now() / 1_000)
  const claims = buildClaims(row, { issuedAt, ttlSeconds, tokenId: newId(), loginSessionId: newId() })
  await admit([toLoginStarted(claims)])
  return claims
}

function toLoginStarted(claims: AccessTokenClaims): AcceptedEvent {
  const time = toIsoTime(claims.iat)
  return {
    type: 'login.started',
    source: 'tollgate/token-api',
    id: claims.sid,
    time,
    received_at: time,
    member: true,
    organization_id: claims.organization.id,
    user_id: claims.sub,
    login_session_id: claims.sid,
    expires_at: toIsoTime(claims.exp),
  }
}

/** Seconds since the epoch, as in `iat` and `exp`, in RFC 3339. */
export function toIsoTime(epochSeconds: number): string {
  return new Date(epochSeconds * 1_000).toISOString()
}
