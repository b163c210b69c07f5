import { ProblemError } from '@tollgate/shared/contracts'
import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import { explainRefusal } from '../gate/explain-refusal.ts'
import type { GatedClaims, GateVerdict } from '../gate/gate.ts'
import { toIsoTime } from '../tokens/start-login.ts'
import type { UrlTokenClaims, UrlTokenVerdict, VerifyUrlToken } from '../tokens/verify-handoff.ts'
import type { CheckVisitor } from './check-visitor.ts'
import { CURRENT_VERSION, type SessionMemory } from './remember-sessions.ts'
import { newSessionValue, readSessionCookie, sessionDigest } from './session-cookie.ts'

/** What came of a handoff; each outcome is counted. */
export type Arrival =
  | { readonly outcome: 'opened'; readonly value: string; readonly maxAgeSeconds: number }
  | { readonly outcome: 'repeated' }
  | { readonly outcome: 'replayed' | 'refused'; readonly problem: ProblemError }

/** A browser that comes with a handoff. */
export interface Traveller {
  readonly token: string
  readonly org: string
  readonly cookie: string | undefined
  /** Another site's page has sent the browser here. */
  readonly isCrossSite: boolean
}

/** What using a handoff needs. */
export interface HandoffDependencies {
  readonly verifyUrlToken: VerifyUrlToken
  readonly checkVisitor: CheckVisitor
  readonly findSession: SessionMemory['find']
  readonly judge: (claims: GatedClaims) => GateVerdict
  /** @throws StoreError */
  readonly openSession: (
    opening: RpcArgs<'open_proxy_session'>['opening'],
  ) => Promise<RpcRow<'open_proxy_session'> | undefined>
  /** Ends a login session everywhere. @throws StoreError */
  readonly endLogin: (loginSessionId: string) => Promise<void>
  readonly sessionKey: Uint8Array
  readonly sessionSeconds: number
  readonly now: () => number
}

/**
 * Uses a handoff, once: opens a session for it. A second use by the browser that has the session changes nothing; by
 * anybody else it ends that session, since the link has been seen by others (RFC 9700 4.3.2). A browser in which somebody
 * else is signed in keeps that session and gets none: a stranger's link must not make people write in the stranger's name.
 */
export async function useHandoff(traveller: Traveller, dependencies: HandoffDependencies): Promise<Arrival> {
  const verdict = await dependencies.verifyUrlToken(traveller.token)
  if ('reason' in verdict) return refuseUnverified(verdict, traveller, dependencies)
  const gate = dependencies.judge(toGated(verdict.claims))
  if (!gate.accepted) return { outcome: 'refused', problem: explainGate(gate) }
  return open(verdict.claims, traveller, dependencies)
}

function explainGate(gate: Extract<GateVerdict, { accepted: false }>): ProblemError {
  const isOver = gate.reason === 'session_ended' || gate.reason === 'revoked'
  return isOver ? refusal('session_ended') : explainRefusal(gate)
}

/** An old link in a browser that is in already leads in: the session decides, and the link gives nothing. */
async function refuseUnverified(
  { reason }: Exclude<UrlTokenVerdict, { claims: unknown }>,
  { cookie }: Traveller,
  { checkVisitor }: HandoffDependencies,
): Promise<Arrival> {
  const isIn =
    reason === 'expired' && 'value' in readSessionCookie(cookie) && 'visitor' in (await checkVisitor({ cookie }))
  return isIn ? { outcome: 'repeated' } : { outcome: 'refused', problem: refusal(reason) }
}

async function open(claims: UrlTokenClaims, traveller: Traveller, dependencies: HandoffDependencies): Promise<Arrival> {
  const { openSession, endLogin, sessionKey, sessionSeconds, now } = dependencies
  const presented = readSessionCookie(traveller.cookie)
  const isTaken = await isSomebodyElses(claims.userId, traveller, dependencies)
  const value = newSessionValue(sessionKey)
  // From the login on, as an access token that was issued with it would live: revocations are kept for that long. Nothing
  // that an access token opened outlives it.
  const longest = claims.issuedAt + sessionSeconds
  const endsAt = claims.accessTokenId === undefined ? longest : Math.min(longest, claims.expiresAt)
  const row = await openSession({
    session_hash: sessionDigest(value),
    presented_hash: 'value' in presented ? sessionDigest(presented.value) : null,
    handoff_id: claims.handoffId,
    access_token_id: claims.accessTokenId,
    login_session_id: claims.loginSessionId,
    user_id: claims.userId,
    organization_id: claims.organizationId,
    domain: traveller.org,
    expires_at: toIsoTime(endsAt),
  })
  switch (row?.outcome) {
    case 'opened':
      // Used up all the same, and nobody has the session: who used the link before is told from a first use by Postgres alone.
      if (isTaken) return { outcome: 'refused', problem: refusal('other_session') }
      return { outcome: 'opened', value, maxAgeSeconds: endsAt - Math.floor(now() / 1_000) }
    case 'repeated':
      return { outcome: 'repeated' }
    case 'replayed':
      await endLogin(row.login_session_id)
      return { outcome: 'replayed', problem: refusal('used_before') }
    case 'wrong_organization':
      return { outcome: 'refused', problem: refusal('wrong_organization') }
    default:
      throw new Error('open_proxy_session gave no outcome')
  }
}

/**
 * Whether another user's session stands in the way: a good one always, one that the gate refuses at present only where
 * another site's page leads here. One that has ended is nobody's.
 */
async function isSomebodyElses(
  userId: string,
  { cookie, isCrossSite }: Traveller,
  { findSession, judge }: HandoffDependencies,
): Promise<boolean> {
  const presented = readSessionCookie(cookie)
  if (!('value' in presented)) return false
  const session = await findSession(presented.value)
  if ('reason' in session || session.claims.sub === userId) return false
  const verdict = judge(session.claims)
  return verdict.accepted || (isCrossSite && verdict.reason !== 'session_ended' && verdict.reason !== 'revoked')
}

function toGated(claims: UrlTokenClaims): GatedClaims {
  const { userId, organizationId, loginSessionId, handoffId, accessTokenId } = claims
  return {
    sub: userId,
    sid: loginSessionId,
    jti: accessTokenId ?? handoffId,
    organization: { id: organizationId },
    ver: CURRENT_VERSION,
  }
}

const SENTENCES = {
  malformed: 'The link into the chat is damaged.',
  bad_signature: 'The link into the chat was not made by this service.',
  expired: 'The link into the chat has expired: it is good for one minute. Open the chat again.',
  used_before:
    'The link into the chat was used before, so that everybody who came with it is signed out. Open it anew.',
  session_ended: 'The sign-in that the link belongs to has ended. Open the chat again.',
  other_session:
    'Somebody else is signed in to the chat in this browser. Sign out there first, then open the chat again.',
  wrong_organization: 'The link into the chat belongs to another organization.',
} as const

function refusal(reason: keyof typeof SENTENCES): ProblemError {
  return new ProblemError('handoff-refused', SENTENCES[reason], { extensions: { reason } })
}
