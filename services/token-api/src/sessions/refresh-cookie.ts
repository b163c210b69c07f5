import { ProblemError } from '@tollgate/shared/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { refuseRefresh } from './refuse-refresh.ts'

/** Name of the cookie that carries the refresh token; it is sent to the login routes alone. */
const REFRESH_COOKIE = '__Secure-tollgate-refresh'

// SameSite=None, since the front end may be of another site; who may use the cookie is decided by the Origin header.
const ATTRIBUTES = 'Path=/api/librechat; HttpOnly; Secure; SameSite=None; Partitioned'

/** Sets the cookie for as long as the token is good. */
export function setRefreshCookie(reply: FastifyReply, token: string, maxAgeSeconds: number): void {
  reply.header('set-cookie', `${REFRESH_COOKIE}=${token}; Max-Age=${Math.max(0, maxAgeSeconds)}; ${ATTRIBUTES}`)
}

/** Takes the cookie back. */
export function clearRefreshCookie(reply: FastifyReply): void {
  reply.header('set-cookie', `${REFRESH_COOKIE}=; Max-Age=0; ${ATTRIBUTES}`)
}

/**
 * The refresh token of a request: from its body, else from the cookie. A browser sends the cookie by itself, so that it
 * counts only for pages of the allowed origins and of this service's own.
 * @throws ProblemError `unauthenticated` without one, `forbidden` from another origin
 */
export function readRefreshToken(
  request: FastifyRequest,
  inBody: string | undefined,
  origins: readonly string[],
): string {
  if (inBody !== undefined) return inBody
  const token = readCookie(request.headers.cookie)
  if (token === undefined) throw refuseRefresh('missing')
  const { origin } = request.headers
  if (origin !== undefined && !origins.includes(origin) && !isOwn(origin, request)) {
    throw new ProblemError('forbidden', 'Pages of this origin may not use the refresh cookie; see CORS_ORIGINS.', {
      extensions: { reason: 'origin_not_allowed' },
    })
  }
  return token
}

// Two of that name are one too many: somebody else has set the other.
function readCookie(header = ''): string | undefined {
  const prefix = `${REFRESH_COOKIE}=`
  const pairs = header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(prefix))
  if (pairs.length > 1) throw refuseRefresh('malformed')
  return pairs[0]?.slice(prefix.length) || undefined
}

function isOwn(origin: string, { protocol, host }: FastifyRequest): boolean {
  const own = `${protocol}://${host}`
  return URL.canParse(own) && new URL(own).origin === origin
}
