import type { RefusalReason, Role } from '@tollgate/shared/contracts'
import type { CheckAccessToken, Refusal } from '../gate/check-access-token.ts'
import type { GatedClaims, GateVerdict } from '../gate/gate.ts'
import type { SessionMemory } from './remember-sessions.ts'
import { readSessionCookie } from './session-cookie.ts'

/** Who stands at the proxy, in the words of an access token. */
export interface Visitor {
  readonly sub: string
  readonly sid: string
  readonly role: Role
  readonly organization: { readonly id: string }
}

/** What the proxy is told of a visitor. */
export function visitorHeaders({ sub, sid, role, organization }: Visitor): Record<string, string> {
  return {
    'x-tenant-id': organization.id,
    'x-tollgate-organization': organization.id,
    'x-tollgate-user': sub,
    'x-tollgate-role': role,
    'x-tollgate-session': sid,
  }
}

/** A visitor who may pass, or why not. */
export type VisitorVerdict = { readonly visitor: Visitor } | { readonly refusal: Refusal }

/** The headers from which it is decided, and nothing else of a request. */
export interface VisitorHeaders {
  readonly cookie?: string | undefined
  readonly authorization?: string | undefined
}

/** Judges a request at the proxy. @throws StoreError when Postgres is asked for a session and does not answer */
export type CheckVisitor = (headers: VisitorHeaders) => Promise<VisitorVerdict>

/** What the check stands on. */
export interface CheckVisitorOptions {
  readonly sessions: Pick<SessionMemory, 'find'>
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly check: CheckAccessToken
  readonly onRefusal: (reason: RefusalReason) => void
}

/**
 * Makes the check. Where our cookie is, it alone decides: the `Authorization` beside it is LibreChat's own. Without one
 * an access token of ours may stand in that header.
 */
export function createVisitorCheck({ sessions, judge, check, onRefusal }: CheckVisitorOptions): CheckVisitor {
  const refuse = (refusal: Refusal): VisitorVerdict => {
    onRefusal(refusal.reason)
    return { refusal }
  }
  return async ({ cookie, authorization }) => {
    const presented = readSessionCookie(cookie)
    if ('value' in presented) {
      const session = await sessions.find(presented.value)
      if ('reason' in session) return refuse(session)
      const verdict = judge(session.claims)
      return verdict.accepted ? { visitor: session.claims } : refuse(verdict)
    }
    if (presented.reason === 'malformed') return refuse(presented)
    const verdict = await check(authorization)
    return 'claims' in verdict ? { visitor: verdict.claims } : verdict
  }
}
