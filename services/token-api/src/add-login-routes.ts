import type { ActOf } from './manners/act.ts'
import type { Checks, RouteDependencies } from './route-dependencies.ts'
import { getJwks } from './routes/get-jwks.ts'
import { getLibreChatAuth } from './routes/get-librechat-auth.ts'
import { postLibreChatAuth } from './routes/post-librechat-auth.ts'
import { postLogout } from './routes/post-logout.ts'
import { postRefresh } from './routes/post-refresh.ts'
import { postTokens } from './routes/post-tokens.ts'
import type { App } from './routes/typed-app.ts'
import { createEndableReader } from './sessions/read-endable-token.ts'
import { refreshLogin } from './sessions/refresh-login.ts'
import { shareFlights } from './sessions/share-flights.ts'
import { issueAccessToken } from './tokens/issue-access-token.ts'
import { issueHandoff } from './tokens/issue-handoff.ts'
import { type LoginRequest, startLogin } from './tokens/start-login.ts'

/** Adds the routes by which a user signs in, stays signed in and signs out. */
export function addLoginRoutes(
  app: App,
  dependencies: RouteDependencies & { readonly actOf: ActOf },
  { verifySupabase, authenticateKey }: Checks,
): void {
  const { config, keys, store, sessions, meters, now, newId } = dependencies
  const origins = config.CORS_ORIGINS
  const lifetimes = {
    access: config.JWT_ACCESS_TOKEN_EXPIRY,
    refresh: config.JWT_REFRESH_TOKEN_EXPIRY,
    session: config.SESSION_MAX_AGE,
  }
  const observe = config.ENFORCEMENT_MODE === 'observe'
  const shared = { refreshKey: keys.refresh, lifetimes, observe, now, newId }
  const start = async (request: LoginRequest) => {
    const login = await startLogin(request, { ...shared, startLogin: sessions.start })
    meters.logins.inc()
    return login
  }
  const refresh = shareFlights(async (token: string) =>
    refreshLogin(token, {
      ...shared,
      continueLogin: store.continueLogin,
      announce: sessions.announce,
      onOutcome: (outcome) => meters.refreshes.inc({ outcome }),
    }).finally(sessions.poke),
  )

  const issueToken = (claims: Parameters<typeof issueAccessToken>[0]) => issueAccessToken(claims, keys.access)
  const issueUrlToken: typeof issueToken =
    config.URL_TOKEN === 'access' ? issueToken : (claims) => issueHandoff(claims, keys.handoff)
  getLibreChatAuth(app, { verifySupabase, startLogin: start, issueUrlToken, libreChatUrl: config.LIBRECHAT_URL })
  postLibreChatAuth(app, { verifySupabase, startLogin: start, issueToken, actOf: dependencies.actOf })
  postRefresh(app, { refreshLogin: refresh, issueToken, origins })
  postTokens(app, {
    authenticateKey,
    findMember: store.findMember,
    startLogin: start,
    issueToken,
    actOf: dependencies.actOf,
  })
  getJwks(app, keys.access.published)
  const readToken = createEndableReader(keys.refresh, { listLogins: store.listLogins, now })
  postLogout(app, { readToken, revoke: sessions.revoke, origins })
}
