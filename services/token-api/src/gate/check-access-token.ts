import type { AccessTokenClaims, RefusalReason } from '@tollgate/shared/contracts'
import { readBearer } from '../tokens/read-bearer.ts'
import type { VerifyAccessToken } from '../tokens/verify-access-token.ts'
import type { GateState } from './enforcement-copy.ts'
import type { GatedClaims, GateVerdict } from './gate.ts'

/** Why an access token does not open the gate; `enforcement` where the organization is the reason. */
export interface Refusal {
  readonly reason: RefusalReason
  readonly enforcement?: GateState
}

/** The claims of a token that opens the gate, or the refusal. */
export type AccessVerdict = { readonly claims: AccessTokenClaims } | { readonly refusal: Refusal }

/** Judges the `Authorization` header of a request. */
export type CheckAccessToken = (authorization: string | undefined) => Promise<AccessVerdict>

/** What the check stands on. */
export interface CheckOptions {
  readonly verify: VerifyAccessToken
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly onRefusal: (reason: RefusalReason) => void
}

/** Makes the check: header, signature, expiry, then the organization; each step may only refuse. */
export function createAccessCheck({ verify, judge, onRefusal }: CheckOptions): CheckAccessToken {
  const refuse = (refusal: Refusal): AccessVerdict => {
    onRefusal(refusal.reason)
    return { refusal }
  }
  return async (authorization) => {
    const bearer = readBearer(authorization)
    if ('reason' in bearer) return refuse(bearer)
    const token = await verify(bearer.token)
    if ('reason' in token) return refuse(token)
    const verdict = judge(token.claims)
    return verdict.accepted ? token : refuse(verdict)
  }
}
