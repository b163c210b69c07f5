import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import type { GatedClaims, GateVerdict } from '../gate/gate.ts'
import { type Visitor, type VisitorHeaders, visitorHeaders } from '../proxy/check-visitor.ts'
import type { SessionMemory } from '../proxy/remember-sessions.ts'
import { readSessionCookie } from '../proxy/session-cookie.ts'
import type { Positions } from '../quota/open-positions.ts'
import { writeVerifyAnswer } from '../routes/get-verify.ts'
import type { AccessTokenVerifier, Recognised } from '../tokens/verify-access-token.ts'
import { writeTogether } from './write-together.ts'

/** What can be told without waiting for anybody. */
export interface AtOnceOptions {
  readonly recognise: AccessTokenVerifier['recognise']
  readonly recallSession: SessionMemory['recall']
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly showPosition: Positions['show']
  readonly takeRequestId: (request: IncomingMessage) => string
  /** Names and values in turn, as each answer has them that a browser may read. */
  readonly headersFor: (origin: string | undefined) => readonly string[]
  readonly isStopping: () => boolean
}

/** Answers a request if it can; false leaves it, untouched, to the route. */
export type AnswerAtOnce = (request: IncomingMessage, response: ServerResponse) => boolean

/**
 * Makes the short way of the two questions that stand before each request of somebody else's. It says yes, and nothing
 * but yes: to tokens that prove good at once and sessions that are remembered, if the gate accepts them at this moment.
 * What has to be asked for, is refused, odd or has a body goes to the route, which answers the same.
 */
export function answerAtOnce(options: AtOnceOptions): AnswerAtOnce {
  const { recognise, recallSession, judge, showPosition, takeRequestId, headersFor, isStopping } = options
  const together = writeTogether()
  const keepVerified = keep(writeVerified)
  const keepPassed = keep(writePassed)

  const accepted = <Claims extends GatedClaims>(claims: Claims | undefined): Claims | undefined =>
    claims !== undefined && judge(claims).accepted ? claims : undefined
  const tokenOf = (authorization: string | undefined): Recognised | undefined => {
    // Other spellings of the scheme are the route's. What is recognised needs no look at its characters: it is the same
    // text as one that was good, or is spelled as we spell.
    if (authorization === undefined || !authorization.startsWith(SCHEME)) return undefined
    const found = recognise(authorization.slice(SCHEME.length))
    return found !== undefined && judge(found.claims).accepted ? found : undefined
  }
  const passOf = ({ cookie, authorization }: VisitorHeaders): [Visitor, Kept] | undefined => {
    const presented = readSessionCookie(cookie)
    if ('value' in presented) {
      const visitor = accepted(recallSession(presented.value))
      return visitor && [visitor, keepPassed(visitor)]
    }
    const found = presented.reason === 'missing' ? tokenOf(authorization) : undefined
    return found && [found.claims, found.isRemembered ? keepPassed(found.claims) : writePassed(found.claims)]
  }
  const send = (
    request: IncomingMessage,
    response: ServerResponse,
    headers: string[],
    { text }: Kept,
    organizationId: string,
  ) => {
    headers.push('x-request-id', takeRequestId(request))
    const sink = { getHeader: () => undefined, header: (name: string, value: string) => headers.push(name, value) }
    showPosition(sink, organizationId)
    // What is wrong with a header shows here, where the route can still answer.
    response.writeHead(200, headers)
    together(() => response.end(text))
    return true
  }
  const verify: AnswerAtOnce = (request, response) => {
    const found = tokenOf(request.headers.authorization)
    if (found === undefined) return false
    const { claims, isRemembered } = found
    const answer = isRemembered ? keepVerified(claims) : writeVerified(claims)
    const headers = headersFor(request.headers.origin).concat(answer.own)
    return send(request, response, headers, answer, claims.organization.id)
  }
  const forwardAuth: AnswerAtOnce = (request, response) => {
    const pass = passOf(request.headers)
    return pass !== undefined && send(request, response, pass[1].own.slice(), pass[1], pass[0].organization.id)
  }
  return (request, response) => {
    if (request.method !== 'GET' || isStopping() || ODD.some((name) => name in request.headers)) return false
    if (request.url === '/api/auth/verify') return verify(request, response)
    return request.url === '/v1/forward-auth' && forwardAuth(request, response)
  }
}

/** What an answer about somebody always says: header names and values in turn, and the body. */
interface Kept {
  readonly own: readonly string[]
  readonly text: string
}

function writeVerified(claims: AccessTokenClaims): Kept {
  const text = writeVerifyAnswer(claims)
  return { own: [...JSON_BODY, 'content-length', String(Buffer.byteLength(text))], text }
}

function writePassed(visitor: Visitor): Kept {
  const own = ['cache-control', 'no-store', 'content-type', 'text/plain; charset=utf-8', 'content-length', '0']
  const about = visitorHeaders(visitor)
  for (const name in about) own.push(name, about[name] ?? '')
  return { own, text: '' }
}

/** Writes an answer once for as long as its claims are remembered. */
function keep<Claims extends object>(write: (claims: Claims) => Kept): (claims: Claims) => Kept {
  const kept = new WeakMap<Claims, Kept>()
  return (claims) => {
    const known = kept.get(claims)
    if (known !== undefined) return known
    const written = write(claims)
    kept.set(claims, written)
    return written
  }
}

const JSON_BODY = ['content-type', 'application/json; charset=utf-8']
const SCHEME = 'Bearer '
// A body, or a wish that the route may not grant.
const ODD = ['content-length', 'transfer-encoding', 'content-encoding', 'accept-version', 'expect']
