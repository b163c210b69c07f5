import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import type { Announcer } from '../gate/announce-revocations.ts'

/** What is taken back, by whom and why. */
export type RevocationRequest = RpcArgs<'revoke_logins'>['request']

/** Takes back what was issued; gives how many login sessions were open. */
export type Revoke = (request: RevocationRequest) => Promise<number>

/** What revoking needs from outside. */
export interface RevokeOptions {
  /** @throws StoreError */
  readonly revokeLogins: (request: RevocationRequest) => Promise<RpcRow<'revoke_logins'>>
  readonly announce: Announcer['announce']
  readonly onEnded: (sessions: number) => void
}

/**
 * Makes the one way to revoke: commit in Postgres, then tell every gate, then return: no gate accepts after that.
 * @throws ProblemError `unavailable` when not every gate can be told; the request may be repeated
 */
export function createRevoke({ revokeLogins, announce, onEnded }: RevokeOptions): Revoke {
  return async (request) => {
    const { revoked, ended, deaf_ms } = await revokeLogins(request)
    onEnded(ended)
    await announce(revoked, deaf_ms)
    return ended
  }
}
