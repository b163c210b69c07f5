import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import type { GateState, Known } from './enforcement-copy.ts'

/** What to do while the copy may be out of date: refuse everybody, or go on with what was known last. */
export type FailMode = 'closed' | 'open'

/** The part of an access token that the gate looks at. */
export interface GatedClaims extends Pick<AccessTokenClaims, 'sub' | 'ver' | 'jti' | 'sid'> {
  readonly organization: Pick<AccessTokenClaims['organization'], 'id'>
}

/** Whether the organization and the user of a token have access now. */
export type GateVerdict =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: 'gate_unavailable' | 'revoked' | 'session_ended' }
  | {
      readonly accepted: false
      readonly reason: 'organization_revoked' | 'user_revoked' | 'superseded'
      readonly enforcement?: GateState | undefined
    }

/** What a gate is set to. */
export interface GateSettings {
  readonly failMode: FailMode
  /** Refuse nobody for an enforcement state. */
  readonly observe: boolean
}

/**
 * Decides from the token's claims, the copy and the time alone; who was never decided upon is active at the lowest version.
 * A token's version is the organization's and the user's together. What was decided until the end of a period is over then,
 * also where nobody is there to decide anew.
 */
export function judge(
  claims: GatedClaims,
  known: Known,
  leased: boolean,
  settings: GateSettings,
  nowMs: number,
): GateVerdict {
  if (!leased && settings.failMode === 'closed') return { accepted: false, reason: 'gate_unavailable' }
  const { organization, user, control } = known
  if (settings.observe || control?.paused) return { accepted: true }
  if (isRevoked(organization, nowMs)) {
    return { accepted: false, reason: 'organization_revoked', enforcement: organization }
  }
  if (isRevoked(user, nowMs)) return { accepted: false, reason: 'user_revoked', enforcement: user }
  const version = organization?.version ?? control?.version_floor ?? 0
  if (claims.ver < version + (user?.version ?? 0)) {
    // Which of the two it was the token does not tell; the user's is the more particular one.
    const isUsers = user !== undefined && user.version > 0 && claims.ver >= version
    return { accepted: false, reason: 'superseded', enforcement: isUsers ? user : organization }
  }
  return { accepted: true }
}

function isRevoked(state: GateState | undefined, nowMs: number): boolean {
  if (state?.state !== 'revoked') return false
  // A time that cannot be read lets nobody in.
  return !(state.lapses === true && Date.parse(state.period_end) <= nowMs)
}
