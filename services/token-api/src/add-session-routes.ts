import type { Checks, RouteDependencies } from './route-dependencies.ts'
import { deleteSession, deleteUserSessions } from './routes/delete-session.ts'
import { getSessions } from './routes/get-sessions.ts'
import { postIntrospect } from './routes/post-introspect.ts'
import { postRevoke } from './routes/post-revoke.ts'
import type { App } from './routes/typed-app.ts'
import { createTokenReader } from './sessions/read-token.ts'
import { createAccessTokenVerifier } from './tokens/verify-access-token.ts'

// As in the SQL of revocations (end_logins.sql).
const CLOCK_MARGIN_MS = 600_000

/** Adds the routes that look at what was issued and take it back. */
export function addSessionRoutes(app: App, dependencies: RouteDependencies, checks: Checks): void {
  const { keys, store, sessions, judge, now } = dependencies
  const { verifySupabase, authenticateKey, verify } = checks
  const { revoke } = sessions
  const readToken = createTokenReader({ verify, refreshKey: keys.refresh, listLogins: store.listLogins, now })
  // An instance whose clock is behind takes a token for longer than ours says: for so long it can be revoked.
  const earlier = () => now() - CLOCK_MARGIN_MS
  const readRevocable = createTokenReader({
    verify: createAccessTokenVerifier(keys.access, earlier),
    refreshKey: keys.refresh,
    listLogins: store.listLogins,
    now: earlier,
  })
  postIntrospect(app, { authenticateKey, readToken, judge })
  postRevoke(app, { authenticateKey, readToken: readRevocable, revoke })
  getSessions(app, { verifySupabase, store })
  const access = { verifySupabase, authenticateKey, findMember: store.findMember }
  deleteSession(app, { access, store, revoke })
  deleteUserSessions(app, { access, store, revoke })
}
