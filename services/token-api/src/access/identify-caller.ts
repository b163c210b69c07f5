import { ProblemError, type Role } from '@tollgate/shared/contracts'
import {
  type AuthenticateServiceKey,
  looksLikeServiceKey,
  type ServiceKey,
} from '../ingest/authenticate-service-key.ts'
import { readBearer } from '../tokens/read-bearer.ts'
import { requireUser } from '../tokens/require-user.ts'
import type { VerifySupabaseToken } from '../tokens/verify-supabase-token.ts'

/** Who calls an administrative route. `actor` is what goes on record. */
export type Caller =
  | { readonly kind: 'key'; readonly key: ServiceKey; readonly actor: string }
  | {
      readonly kind: 'user'
      readonly userId: string
      readonly role: Role
      readonly organizationId: string | null
      readonly actor: string
    }

/** What it takes to know a caller. */
export interface CallerAccess {
  readonly verifySupabase: VerifySupabaseToken
  readonly authenticateKey: AuthenticateServiceKey
  /** The organization and role of a user, read anew. @throws StoreError */
  readonly findMember: (userId: string) => Promise<{ organization_id: string | null; role: Role } | undefined>
}

/**
 * The caller behind an `Authorization` header: a server by its key, or a signed-in user with the role of the profile.
 * @throws ProblemError `unauthenticated`, `forbidden` (no profile), `unavailable`
 */
export async function identifyCaller(authorization: string | undefined, access: CallerAccess): Promise<Caller> {
  const bearer = readBearer(authorization)
  if ('token' in bearer && looksLikeServiceKey(bearer.token)) {
    const key = await access.authenticateKey(bearer.token)
    if (key !== undefined) return { kind: 'key', key, actor: `key:${key.id}` }
    throw new ProblemError('unauthenticated', 'The key is unknown, revoked or expired.', {
      extensions: { reason: 'unknown_key' },
    })
  }
  const userId = await requireUser(authorization, access.verifySupabase)
  const member = await access.findMember(userId)
  if (member === undefined) throw new ProblemError('forbidden', 'The user has no profile.')
  return { kind: 'user', userId, role: member.role, organizationId: member.organization_id, actor: `user:${userId}` }
}

/** How far a right reaches: everywhere, or to one organization. */
type Reach = 'all' | { readonly organizationId: string }

/**
 * How far a caller's right on something reaches: everything (super_admins and keys of the operator), one organization
 * (its admins and its keys), or nothing.
 */
export function reachOf(caller: Caller, scope: string): Reach | undefined {
  if (caller.kind === 'key') {
    if (!caller.key.scopes.includes(scope)) return undefined
    return caller.key.organization_id === null ? 'all' : { organizationId: caller.key.organization_id }
  }
  if (caller.role === 'super_admin') return 'all'
  if (caller.role !== 'admin' || caller.organizationId === null) return undefined
  return { organizationId: caller.organizationId }
}

/** As `reachOf`. @throws ProblemError `forbidden` for a caller without any right */
export function requireReach(caller: Caller, scope: string): Reach {
  const reach = reachOf(caller, scope)
  if (reach !== undefined) return reach
  const detail = caller.kind === 'key' ? `The key lacks the scope ${scope}.` : 'The role does not allow this.'
  const reason = caller.kind === 'key' ? 'missing_scope' : 'missing_role'
  throw new ProblemError('forbidden', detail, { extensions: { reason } })
}

/** The organization to show when one (or none) is asked for; undefined is all. @throws ProblemError `forbidden` */
export function within(reach: Reach, asked: string | undefined): string | undefined {
  if (reach === 'all') return asked
  if (asked === undefined || asked === reach.organizationId) return reach.organizationId
  throw new ProblemError('forbidden', 'The credential reaches its own organization alone.')
}
