import type { webcrypto } from 'node:crypto'
import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import type { VerifyAccessToken } from '../tokens/verify-access-token.ts'
import { hashToken, type RefreshClaims, verifyRefreshToken } from './refresh-token.ts'

type Session = RpcRow<'list_logins'>

/** A token of ours that has not expired, whichever it is; undefined for anything else. */
export type ReadToken =
  | { readonly kind: 'access'; readonly claims: AccessTokenClaims; readonly organizationId: string }
  | {
      readonly kind: 'refresh'
      readonly claims: RefreshClaims
      readonly organizationId: string
      /** It is the newest of a login session that goes on. */
      readonly isCurrent: boolean
    }
  | undefined

/** What reading needs from outside. */
export interface ReadTokenOptions {
  readonly verify: VerifyAccessToken
  readonly refreshKey: webcrypto.CryptoKey
  /** @throws StoreError */
  readonly listLogins: (wanted: RpcArgs<'list_logins'>['wanted']) => Promise<Session[]>
  readonly now: () => number
}

/** Makes the reader behind introspection and revocation. */
export function createTokenReader({ verify, refreshKey, listLogins, now }: ReadTokenOptions) {
  return async (token: string): Promise<ReadToken> => {
    const access = await verify(token)
    if ('claims' in access) {
      return { kind: 'access', claims: access.claims, organizationId: access.claims.organization.id }
    }
    const refresh = await verifyRefreshToken(token, refreshKey, now())
    if ('reason' in refresh) return undefined
    const [session] = await listLogins({ session_id: refresh.claims.sid })
    if (session === undefined) return undefined
    const isCurrent = session.ended_at === null && session.refresh_hash === hashToken(token)
    return { kind: 'refresh', claims: refresh.claims, organizationId: session.organization_id, isCurrent }
  }
}
