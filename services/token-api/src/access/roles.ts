import type { Scope } from '@tollgate/shared/contracts'

/** How far a caller's right on a route reaches: nowhere, to what is the own (user or organization), or everywhere. */
export type Reach = 'no' | 'own' | 'all'

/** Who may call a route: by role for people, by scope for servers' keys. */
export interface RouteRights {
  /** What people show: their Supabase session, the access token that was made of it, or a secret that is itself the right. */
  readonly credential: 'none' | 'supabase' | 'access token' | 'refresh token' | 'browser session'
  readonly user: Reach
  readonly admin: Reach
  readonly super_admin: Reach
  /** Absent: keys have nothing to do here. */
  readonly scope?: Scope
  readonly organization_key: Reach
  readonly operator_key: Reach
  /** The entry in the audit trail that an allowed call leaves; absent where nothing administrative is done. */
  readonly audited?: string
  /** What the cells do not say. */
  readonly note?: string
}

const nobody = { user: 'no', admin: 'no', super_admin: 'no', organization_key: 'no', operator_key: 'no' } as const
const people = { ...nobody, user: 'own', admin: 'own', super_admin: 'own' } as const
const open = { ...nobody, credential: 'none' } as const
const servers = {
  ...nobody,
  credential: 'supabase',
  scope: 'reservations:write',
  organization_key: 'own',
  operator_key: 'all',
} as const
const members = { user: 'own', admin: 'own', super_admin: 'all', organization_key: 'own', operator_key: 'all' } as const
const admins = { ...members, credential: 'supabase', user: 'no' } as const
const operators = { ...nobody, credential: 'supabase', super_admin: 'all', operator_key: 'all' } as const

/**
 * Every route and who may call it. The test of this table calls each route as each caller; a route that is missing here
 * fails it. Rendered in docs/roles.md (`pnpm generate`).
 */
export const ROLES: Readonly<Record<string, RouteRights>> = {
  'GET /docs': { ...open, note: 'a page to read the API; its files lie below it' },
  'GET /livez': open,
  'GET /metrics': { ...open, note: 'keep it inside the network; it names no organization and no user' },
  'GET /openapi.json': open,
  'GET /readyz': open,

  'GET /api/librechat/auth': { ...people, credential: 'supabase' },
  'POST /api/librechat/auth': { ...people, credential: 'supabase' },
  'POST /api/librechat/refresh': { ...people, credential: 'refresh token' },
  'POST /api/librechat/logout': { ...people, credential: 'refresh token' },
  'GET /api/auth/verify': { ...people, credential: 'access token' },

  'GET /v1/forward-auth': { ...people, credential: 'access token', note: 'or the cookie of the session at the proxy' },
  'GET /v1/forward-auth/page': { ...people, credential: 'browser session', note: 'says why a request may not pass' },
  'GET /v1/handoff': { ...people, credential: 'browser session', note: 'opens it, for a handoff that nobody has used' },
  'POST /v1/handoff': { ...people, credential: 'browser session', note: 'the same as a form' },
  'GET /.well-known/jwks.json': open,
  'POST /v1/tokens': {
    ...nobody,
    credential: 'supabase',
    scope: 'tokens:issue',
    organization_key: 'own',
    operator_key: 'all',
    audited: 'access_token.issued',
    note: "an organization's key gets none of a super_admin",
  },
  'POST /oauth/introspect': {
    ...nobody,
    credential: 'supabase',
    scope: 'tokens:introspect',
    organization_key: 'all',
    operator_key: 'all',
    note: "to an organization's key a token of another organization is not active",
  },
  'POST /oauth/revoke': {
    ...nobody,
    credential: 'supabase',
    scope: 'tokens:revoke',
    organization_key: 'all',
    operator_key: 'all',
    note: "an organization's key revokes its own tokens alone; what is revoked stands in the audit trail",
  },
  'GET /v1/sessions': { ...people, credential: 'supabase' },

  'POST /v1/events': {
    ...people,
    credential: 'access token',
    scope: 'events:write',
    organization_key: 'own',
    operator_key: 'all',
    note: 'people send events of their own chat sessions, never usage',
  },

  'GET /v1/organizations/{id}/quota': { ...members, credential: 'supabase', scope: 'quota:read' },
  'PUT /v1/organizations/{id}/quota': {
    ...admins,
    organization_key: 'no',
    scope: 'quota:write',
    audited: 'quota.changed',
    note: "an organization's admin may lower its limit, and change nothing else",
  },
  'DELETE /v1/organizations/{id}/quota': { ...operators, scope: 'quota:write', audited: 'quota.changed' },

  'POST /v1/reservations': servers,
  'POST /v1/reservations/{id}/commit': servers,
  'POST /v1/reservations/{id}/release': servers,

  'GET /v1/organizations/{id}/users/{user}/quota': {
    ...members,
    credential: 'supabase',
    scope: 'quota:read',
    note: 'users see the own figures alone',
  },
  'PUT /v1/organizations/{id}/users/{user}/quota': {
    ...admins,
    organization_key: 'no',
    scope: 'quota:write',
    audited: 'user_quota.changed',
  },
  'DELETE /v1/organizations/{id}/users/{user}/quota': {
    ...admins,
    organization_key: 'no',
    scope: 'quota:write',
    audited: 'user_quota.changed',
  },
  'GET /v1/organizations/{id}/users/default/quota': { ...members, credential: 'supabase', scope: 'quota:read' },
  'PUT /v1/organizations/{id}/users/default/quota': {
    ...admins,
    organization_key: 'no',
    scope: 'quota:write',
    audited: 'user_default.changed',
  },
  'GET /v1/organizations/{id}/grants': { ...members, credential: 'supabase', scope: 'quota:read' },
  'POST /v1/organizations/{id}/grants': { ...operators, scope: 'quota:write', audited: 'grant.created' },
  'POST /v1/organizations/{id}/grants/{grant}/void': { ...operators, scope: 'quota:write', audited: 'grant.voided' },
  'POST /v1/organizations/{id}/enforcement': {
    ...operators,
    scope: 'enforcement:write',
    audited: 'enforcement.ordered',
  },
  'POST /v1/organizations/{id}/users/{user}/enforcement': {
    ...operators,
    scope: 'enforcement:write',
    audited: 'enforcement.ordered',
  },
  'GET /v1/organizations/{id}/decisions': { ...admins, scope: 'quota:read' },
  'GET /v1/organizations/{id}/decisions/{decision}': { ...admins, scope: 'quota:read' },

  'GET /v1/organizations/{id}/webhooks': { ...admins, scope: 'webhooks:write' },
  'POST /v1/organizations/{id}/webhooks': {
    ...admins,
    scope: 'webhooks:write',
    audited: 'webhook.created',
    note: '`all` in place of the id is for the operator alone, here and below',
  },
  'DELETE /v1/organizations/{id}/webhooks/{webhook}': {
    ...admins,
    scope: 'webhooks:write',
    audited: 'webhook.removed',
  },
  'POST /v1/organizations/{id}/webhooks/{webhook}/rotate': {
    ...admins,
    scope: 'webhooks:write',
    audited: 'webhook.rotated',
  },
  'GET /v1/organizations/{id}/webhooks/{webhook}/deliveries': { ...admins, scope: 'webhooks:write' },
  'POST /v1/organizations/{id}/webhooks/{webhook}/deliveries/{delivery}/replay': {
    ...admins,
    scope: 'webhooks:write',
    audited: 'webhook.replayed',
  },
  'GET /v1/organizations/{id}/usage': {
    ...members,
    credential: 'supabase',
    scope: 'usage:read',
    note: 'users see the own usage alone',
  },
  'GET /v1/organizations/{id}/sessions': {
    ...members,
    credential: 'supabase',
    scope: 'usage:read',
    note: 'chat sessions; users see the own alone',
  },

  'GET /v1/keys': { ...admins, scope: 'keys:write' },
  'POST /v1/keys': {
    ...admins,
    scope: 'keys:write',
    audited: 'key.created',
    note: "nobody gives scopes beyond the own; an organization's admin those that read; no key one that outlives it",
  },
  'POST /v1/keys/{id}/rotate': { ...admins, scope: 'keys:write', audited: 'key.rotated', note: 'as for a new key' },
  'DELETE /v1/keys/{id}': { ...admins, scope: 'keys:write', audited: 'key.revoked' },
  'GET /v1/audit': { ...admins, scope: 'audit:read' },

  // Last, since the test of this table has no login session left after them.
  'DELETE /v1/sessions/{id}': {
    ...members,
    credential: 'supabase',
    scope: 'tokens:revoke',
    audited: 'login_sessions.ended',
  },
  'DELETE /v1/users/{id}/sessions': {
    ...members,
    credential: 'supabase',
    scope: 'tokens:revoke',
    audited: 'login_sessions.ended',
  },
}
