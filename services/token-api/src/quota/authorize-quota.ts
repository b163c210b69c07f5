import { ProblemError, type Role } from '@tollgate/shared/contracts'
import { type AuthenticateServiceKey, looksLikeServiceKey } from '../ingest/authenticate-service-key.ts'
import { requireScope } from '../ingest/identify-submitter.ts'
import { readBearer } from '../tokens/read-bearer.ts'
import { requireUser } from '../tokens/require-user.ts'
import type { VerifySupabaseToken } from '../tokens/verify-supabase-token.ts'

/** What a caller may do with an organization's quota. `actor` goes on record. */
export type QuotaRight =
  | { readonly may: 'read' /** Absent for a key. */; readonly userId?: string }
  | { readonly may: 'lower'; readonly actor: string }
  | { readonly may: 'change'; readonly actor: string }

/** What the decision needs from outside. */
export interface QuotaAccess {
  readonly verifySupabase: VerifySupabaseToken
  readonly authenticateKey: AuthenticateServiceKey
  /** The organization and role of a user, read anew. @throws StoreError */
  readonly findMember: (userId: string) => Promise<{ organization_id: string | null; role: Role } | undefined>
}

type Verb = 'read' | 'write'
type WriteRight = Exclude<QuotaRight, { may: 'read' }>

/** The caller's right to read one organization's quota. @throws ProblemError `unauthenticated`, `forbidden`, `unavailable` */
export async function authorizeRead(
  authorization: string | undefined,
  organizationId: string,
  access: QuotaAccess,
): Promise<QuotaRight> {
  return (await findRight(authorization, organizationId, 'read', access)) ?? forbid('read')
}

/** The caller's right to change something of it. @throws ProblemError as authorizeRead */
export async function authorizeWrite(
  authorization: string | undefined,
  organizationId: string,
  access: QuotaAccess,
): Promise<WriteRight> {
  const right = await findRight(authorization, organizationId, 'write', access)
  return right === undefined || right.may === 'read' ? forbid('write') : right
}

/** Who may change an organization's quota in every way, as it goes on record. @throws ProblemError as authorizeRead */
export async function authorizeChange(
  authorization: string | undefined,
  organizationId: string,
  access: QuotaAccess,
): Promise<string> {
  const right = await authorizeWrite(authorization, organizationId, access)
  if (right.may === 'change') return right.actor
  throw new ProblemError('forbidden', 'This is for super_admins and keys of the operator alone.')
}

async function findRight(
  authorization: string | undefined,
  organizationId: string,
  verb: Verb,
  access: QuotaAccess,
): Promise<QuotaRight | undefined> {
  const bearer = readBearer(authorization)
  return 'token' in bearer && looksLikeServiceKey(bearer.token)
    ? rightOfKey(bearer.token, organizationId, verb, access)
    : rightOfUser(authorization, organizationId, access)
}

// The same answer for an organization that does not exist: nobody can try out ids.
function forbid(verb: Verb): never {
  throw new ProblemError('forbidden', `The credential does not allow to ${verb} this organization's quota.`)
}

async function rightOfKey(
  token: string,
  organizationId: string,
  verb: Verb,
  { authenticateKey }: QuotaAccess,
): Promise<QuotaRight | undefined> {
  const key = await requireScope(token, `quota:${verb}`, authenticateKey)
  if (key.organization_id === null) return { may: 'change', actor: `key:${key.id}` }
  return key.organization_id === organizationId ? { may: 'read' } : undefined
}

async function rightOfUser(
  authorization: string | undefined,
  organizationId: string,
  { verifySupabase, findMember }: QuotaAccess,
): Promise<QuotaRight | undefined> {
  const userId = await requireUser(authorization, verifySupabase)
  const member = await findMember(userId)
  if (member?.role === 'super_admin') return { may: 'change', actor: `user:${userId}` }
  if (member === undefined || member.organization_id !== organizationId) return undefined
  return member.role === 'admin' ? { may: 'lower', actor: `user:${userId}` } : { may: 'read', userId }
}
