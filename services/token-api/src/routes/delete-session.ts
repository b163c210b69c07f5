import { ProblemError, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { type Caller, type CallerAccess, identifyCaller, reachOf, requireReach } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import type { Revoke } from '../sessions/end-logins.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the two routes need. */
export interface DeleteSessions {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listLogins' | 'findMember'>
  readonly revoke: Revoke
}

const ended = z.object({ ended: z.number().int() })
const SCOPE = 'tokens:revoke'
const params = z.object({ id: uuid })

/** `DELETE /v1/sessions/{id}`: ends a login session, on every gate by the time it is answered. */
export function deleteSession(app: App, { access, store, revoke }: DeleteSessions): void {
  const schema = {
    summary: 'End a login session',
    security: bearer,
    params,
    response: { 200: ended, ...problems(400, 401, 403, 404, 503) },
  }
  app.delete('/v1/sessions/:id', { schema }, async (request) => {
    const caller = await identifyRevoker(request.headers.authorization, access)
    const [session] = await store.listLogins({ session_id: request.params.id })
    // The same answer for a session of somebody else: nobody can try out ids.
    if (session === undefined || !isInReach(caller, session)) {
      throw new ProblemError('not-found', 'There is no such login session.')
    }
    return { ended: await revoke({ actor: caller.actor, reason: 'revoked', session_id: session.id }) }
  })
}

/** `DELETE /v1/users/{id}/sessions`: ends all of a user's login sessions, and with them every token. */
export function deleteUserSessions(app: App, { access, store, revoke }: DeleteSessions): void {
  const schema = {
    summary: "End all of a user's login sessions",
    security: bearer,
    params,
    response: { 200: ended, ...problems(400, 401, 403, 404, 503) },
  }
  app.delete('/v1/users/:id/sessions', { schema }, async (request) => {
    const caller = await identifyRevoker(request.headers.authorization, access)
    const { id } = request.params
    const organization_id = (await store.findMember(id))?.organization_id ?? null
    if (!isInReach(caller, { user_id: id, organization_id }))
      throw new ProblemError('not-found', 'There is no such user.')
    return { ended: await revoke({ actor: caller.actor, reason: 'revoked', user_id: id }) }
  })
}

// A key without the scope hears so, before anything is looked up. People may always ask: for their own.
async function identifyRevoker(authorization: string | undefined, access: CallerAccess): Promise<Caller> {
  const caller = await identifyCaller(authorization, access)
  if (caller.kind === 'key') requireReach(caller, SCOPE)
  return caller
}

/** The own, those of an organization for its admins and keys, all for super_admins and keys of the operator. */
function isInReach(caller: Caller, target: { user_id: string; organization_id: string | null }): boolean {
  if (caller.actor === `user:${target.user_id}`) return true
  const reach = reachOf(caller, SCOPE)
  return reach === 'all' || (reach !== undefined && reach.organizationId === target.organization_id)
}
