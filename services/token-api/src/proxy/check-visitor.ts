import type { RefusalReason, Role } from '@tollgate/shared/contracts'
import type { CheckAccessToken, Refusal } from '../gate/check-access-token.ts'
import type { GatedClaims, GateVerdict } from '../gate/gate.ts'
import type { SessionMemory } from './remember-sessions.ts'
import { readSessionCookie } from './session-cookie.ts'

/** Who stands at the proxy. */
export interface Visitor {
  readonly userId: string
  readonly organizationId: string
  readonly role: Role
  readonly loginSessionId: string
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
      return verdict.accepted ? { visitor: toVisitor(session.claims) } : refuse(verdict)
    }
    if (presented.reason === 'malformed') return refuse(presented)
    const verdict = await check(authorization)
    return 'claims' in verdict ? { visitor: toVisitor(verdict.claims) } : verdict
  }
}

interface Identified {
  readonly sub: string
  readonly sid: string
  readonly role: Role
  readonly organization: { readonly id: string }
}

function toVisitor({ sub, sid, role, organization }: Identified): Visitor {
  return { userId: sub, organizationId: organization.id, role, loginSessionId: sid }
}
