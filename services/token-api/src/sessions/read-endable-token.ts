import type { webcrypto } from 'node:crypto'
import type { ReadTokenOptions } from './read-token.ts'
import { hashToken, type RefreshClaims, verifyRefreshToken } from './refresh-token.ts'
import { refuseRefresh } from './refuse-refresh.ts'

/** A refresh token that asks for its own end. */
export interface EndableToken {
  readonly claims: RefreshClaims
  /** It is good now: the newest of a login session that goes on. */
  readonly isCurrent: boolean
}

/**
 * Makes the reader of refresh tokens that ask for their own end. Whether one has expired or was used before does not
 * matter for that; for the end of the user's other login sessions it does.
 */
export function createEndableReader(
  refreshKey: webcrypto.CryptoKey,
  { listLogins, now }: Pick<ReadTokenOptions, 'listLogins' | 'now'>,
) {
  /** @throws ProblemError `unauthenticated`, StoreError */
  return async (token: string): Promise<EndableToken> => {
    // A token is not expired at the time of its epoch.
    const verdict = await verifyRefreshToken(token, refreshKey, 0)
    if ('reason' in verdict) throw refuseRefresh(verdict.reason)
    const { claims } = verdict
    if (claims.exp * 1_000 <= now()) return { claims, isCurrent: false }
    const [session] = await listLogins({ session_id: claims.sid })
    return { claims, isCurrent: session?.ended_at === null && session.refresh_hash === hashToken(token) }
  }
}
