import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import { type VisitorHeaders, visitorHeaders } from '../proxy/check-visitor.ts'
import type { SessionMemory } from '../proxy/remember-sessions.ts'
import { readSessionCookie } from '../proxy/session-cookie.ts'
import type { Positions } from '../quota/open-positions.ts'
import { writeVerifyAnswer } from '../routes/get-verify.ts'
import { readBearer } from '../tokens/read-bearer.ts'
import type { GatedClaims, GateVerdict } from './gate.ts'

/** What can be told without waiting for anybody. */
export interface AtOnceOptions {
  readonly recognise: (token: string) => AccessTokenClaims | undefined
  readonly recallSession: SessionMemory['recall']
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly showPosition: Positions['show']
  readonly takeRequestId: (request: IncomingMessage) => string
  /** Names and values in turn, as each answer has them. */
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
  const texts = new WeakMap<AccessTokenClaims, Buffer>()

  const accepted = <Claims extends GatedClaims>(claims: Claims | undefined): Claims | undefined =>
    claims !== undefined && judge(claims).accepted ? claims : undefined
  const tokenOf = (authorization: string | undefined): AccessTokenClaims | undefined => {
    const bearer = readBearer(authorization)
    return 'token' in bearer ? accepted(recognise(bearer.token)) : undefined
  }
  const visitorOf = ({ cookie, authorization }: VisitorHeaders) => {
    const presented = readSessionCookie(cookie)
    if ('value' in presented) return accepted(recallSession(presented.value))
    return presented.reason === 'missing' ? tokenOf(authorization) : undefined
  }
  const send = (
    request: IncomingMessage,
    response: ServerResponse,
    organizationId: string,
    own: string[],
    body: Buffer | '',
  ) => {
    const headers = ['x-request-id', takeRequestId(request), ...headersFor(request.headers.origin), ...own]
    const sink = { getHeader: () => undefined, header: (name: string, value: string) => headers.push(name, value) }
    showPosition(sink, organizationId)
    headers.push('content-length', String(body.length))
    response.writeHead(200, headers).end(body)
    return true
  }
  const verify: AnswerAtOnce = (request, response) => {
    const claims = tokenOf(request.headers.authorization)
    if (claims === undefined) return false
    const body = texts.get(claims) ?? Buffer.from(writeVerifyAnswer(claims))
    texts.set(claims, body)
    return send(request, response, claims.organization.id, JSON_BODY, body)
  }
  const forwardAuth: AnswerAtOnce = (request, response) => {
    const claims = visitorOf(request.headers)
    if (claims === undefined) return false
    const own = Object.entries(visitorHeaders(claims)).flat()
    return send(request, response, claims.organization.id, [...TEXT_BODY, ...own], '')
  }
  return (request, response) => {
    if (request.method !== 'GET' || isStopping() || ODD.some((name) => name in request.headers)) return false
    if (request.url === '/api/auth/verify') return verify(request, response)
    return request.url === '/v1/forward-auth' && forwardAuth(request, response)
  }
}

const JSON_BODY = ['content-type', 'application/json; charset=utf-8']
const TEXT_BODY = ['content-type', 'text/plain; charset=utf-8']
// A body, or a wish that the route may not grant.
const ODD = ['content-length', 'transfer-encoding', 'content-encoding', 'accept-version', 'expect']
