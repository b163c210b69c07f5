import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import type { GateState } from './enforcement-copy.ts'

/** What to do while the copy may be out of date: refuse everybody, or go on with what was known last. */
export type FailMode = 'closed' | 'open'

/** The part of an access token that the gate looks at. */
export interface GatedClaims extends Pick<AccessTokenClaims, 'ver' | 'jti' | 'sid'> {
  readonly organization: Pick<AccessTokenClaims['organization'], 'id'>
}

/** Whether the organization of a token has access now. */
export type GateVerdict =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: 'gate_unavailable' | 'revoked' | 'session_ended' }
  | {
      readonly accepted: false
      readonly reason: 'organization_revoked' | 'superseded'
      readonly enforcement: GateState
    }

/** Decides from the token's claims and the copy alone; an organization without enforcement is active at version 0. */
export function judge(
  claims: GatedClaims,
  enforcement: GateState | undefined,
  leased: boolean,
  failMode: FailMode,
): GateVerdict {
  if (!leased && failMode === 'closed') return { accepted: false, reason: 'gate_unavailable' }
  if (enforcement === undefined) return { accepted: true }
  if (enforcement.state === 'revoked') return { accepted: false, reason: 'organization_revoked', enforcement }
  if (claims.ver < enforcement.version) return { accepted: false, reason: 'superseded', enforcement }
  return { accepted: true }
}
