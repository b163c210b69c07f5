import type { AccessTokenClaims, RefusalReason } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'

/** What must be refused until `expires_at` (seconds since the epoch): one token (jti) or all of a login session (sid). */
export type Revocation = RpcRow<'revoke_logins'>['revoked'][number]

/** What this instance knows of revoked tokens and ended login sessions. */
export interface RevocationCopy {
  apply(revocation: Revocation): void
  /** Why the token of these claims is refused; undefined when nothing is known against it. */
  refusalOf(
    claims: Pick<AccessTokenClaims, 'jti' | 'sid'>,
  ): Extract<RefusalReason, 'revoked' | 'session_ended'> | undefined
  /** Forgets what can meet no token any more, so that memory is bounded by the lifetime of a token. */
  prune(nowSeconds: number): void
  readonly size: number
}

/** Makes an empty copy. Revocations only ever add up: any order and repetition gives the same. */
export function createRevocationCopy(): RevocationCopy {
  const held = { jti: new Map<string, number>(), sid: new Map<string, number>() }
  return {
    apply: ({ kind, id, expires_at }) => {
      held[kind].set(id, Math.max(held[kind].get(id) ?? 0, expires_at))
    },
    refusalOf: ({ jti, sid }) => {
      if (held.jti.has(jti)) return 'revoked'
      return held.sid.has(sid) ? 'session_ended' : undefined
    },
    prune: (nowSeconds) => {
      for (const entries of [held.jti, held.sid]) {
        for (const [id, expiresAt] of entries) if (expiresAt < nowSeconds) entries.delete(id)
      }
    },
    get size() {
      return held.jti.size + held.sid.size
    },
  }
}
