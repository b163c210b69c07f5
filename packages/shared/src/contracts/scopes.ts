import { z } from 'zod'

/** What a server's key may be allowed to do, and nothing else; each is named after what it touches. */
export const SCOPES = [
  'events:write',
  'usage:read',
  'quota:read',
  'quota:write',
  'enforcement:write',
  'reservations:write',
  'tokens:issue',
  'tokens:introspect',
  'tokens:revoke',
  'webhooks:write',
  'keys:write',
  'audit:read',
] as const
export const scope = z.enum(SCOPES)
export type Scope = z.infer<typeof scope>

/** What an organization's own admin may give to a key of the organization: keys that read. */
export const READING_SCOPES: readonly Scope[] = ['usage:read', 'quota:read', 'audit:read']

/** Whether a stored scope is one that this release knows. */
export function isScope(text: string): text is Scope {
  return scope.safeParse(text).success
}
