import type { Checks, RouteDependencies } from './route-dependencies.ts'
import { deleteSession, deleteUserSessions } from './routes/delete-session.ts'
import { getSessions } from './routes/get-sessions.ts'
import { postIntrospect } from './routes/post-introspect.ts'
import { postRevoke } from './routes/post-revoke.ts'
import type { App } from './routes/typed-app.ts'
import { createTokenReader } from './sessions/read-token.ts'

/** Adds the routes that look at what was issued and take it back. */
export function addSessionRoutes(app: App, dependencies: RouteDependencies, checks: Checks): void {
  const { keys, store, sessions, judge, now } = dependencies
  const { verifySupabase, authenticateKey, verify } = checks
  const { revoke } = sessions
  const readToken = createTokenReader({ verify, refreshKey: keys.refresh, listLogins: store.listLogins, now })
  postIntrospect(app, { authenticateKey, readToken, judge })
  postRevoke(app, { authenticateKey, readToken, revoke })
  getSessions(app, { verifySupabase, store })
  const access = { verifySupabase, authenticateKey, findMember: store.findMember }
  deleteSession(app, { access, store, revoke })
  deleteUserSessions(app, { access, store, revoke })
}
