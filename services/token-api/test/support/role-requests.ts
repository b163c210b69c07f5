import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { addKey, usageEvent } from './seed.ts'

/** A request that is good but for who makes it. */
export interface ExampleRequest {
  readonly path: string
  readonly json?: unknown
}

/** What an example is about: an organization and a user of it; `callerId` is who makes the request, where a user does. */
export interface Target {
  readonly db: pg.Pool
  readonly organizationId: string
  readonly userId: string
  readonly isCallerAUser: boolean
}

type Example = (target: Target) => Promise<ExampleRequest> | ExampleRequest

const chatStarted = ({ organizationId, userId }: Target) => {
  const {
    model: _model,
    input_tokens: _input,
    output_tokens: _output,
    ...data
  } = usageEvent(organizationId, userId).data
  return { ...usageEvent(organizationId, userId), type: 'tollgate.session.started.v1', data }
}
const keyOf = async ({ db, organizationId }: Target): Promise<string> => {
  await addKey(db, ['usage:read'], organizationId)
  const newest = 'select id from tollgate.service_keys where organization_id = $1 order by created_at desc limit 1'
  return (await db.query(newest, [organizationId])).rows[0].id
}

const holdOf = async ({ db, organizationId, userId }: Target): Promise<string> => {
  const add = `insert into tollgate.reservations (id, organization_id, user_id, session_id, total_tokens, expires_at)
    values ($1, $2, $3, 'chat-1', 5, now() + interval '1 hour') returning id`
  const total = `insert into tollgate.reserved_totals (organization_id, reserved_tokens) values ($1, 5)
    on conflict (organization_id) do update set reserved_tokens = reserved_totals.reserved_tokens + 5`
  await db.query(total, [organizationId])
  return (await db.query(add, [randomUUID(), organizationId, userId])).rows[0].id
}

const grantOf = async ({ db, organizationId }: Target): Promise<string> => {
  const add = `insert into tollgate.grants (organization_id, amount_tokens, reason, idempotency_key, actor, settled_until)
    values ($1, 5, 'test', $2, 'test', date_trunc('month', now(), 'UTC')) returning id`
  return (await db.query(add, [organizationId, randomUUID()])).rows[0].id
}

const decisionOf = async ({ db, organizationId }: Target): Promise<string> => {
  const add = `insert into tollgate.quota_decisions (organization_id, from_state, to_state, version, reason, actor, inputs)
    values ($1, 'active', 'warned', 0, 'test', 'test', '{}') returning id`
  return (await db.query(add, [organizationId])).rows[0].id
}
const sessionOf = async ({ db, organizationId, userId }: Target): Promise<string> => {
  const { rows } = await db.query(
    `insert into tollgate.login_sessions (id, organization_id, user_id, started_at, expires_at, access_expires_at)
     values (gen_random_uuid(), $1, $2, now(), now() + interval '1 hour', now() + interval '1 hour') returning id`,
    [organizationId, userId],
  )
  return rows[0].id
}

let nextLimit = 1_000_000
const webhooksOf = ({ organizationId }: Target) => `/v1/organizations/${organizationId}/webhooks`
const webhookOf = async (target: Target): Promise<string> => {
  const add = `insert into tollgate.webhook_endpoints (id, organization_id, url, types, sealed_secret, created_by)
    values ($1, $2, 'https://hooks.example.com/', '{}', 'v1.test', 'test') returning id`
  const { rows } = await target.db.query(add, [randomUUID(), target.organizationId])
  return `${webhooksOf(target)}/${rows[0].id}`
}
const deliveryOf = async (target: Target): Promise<string> => {
  const webhook = await webhookOf(target)
  const add = `insert into tollgate.webhook_deliveries (endpoint_id, notification_key, organization_id, type, payload)
    values ($1, 'test', $2, 'quota.revoked', '{}') returning id`
  const { rows } = await target.db.query(add, [webhook.split('/').at(-1), target.organizationId])
  return `${webhook}/deliveries/${rows[0].id}`
}

/** A good request for each route of the table of rights, about a given organization (or none, where there is none). */
export const ROLE_REQUESTS: Readonly<Record<string, Example>> = {
  'GET /docs': () => ({ path: '/docs' }),
  'GET /livez': () => ({ path: '/livez' }),
  'GET /metrics': () => ({ path: '/metrics' }),
  'GET /openapi.json': () => ({ path: '/openapi.json' }),
  'GET /readyz': () => ({ path: '/readyz' }),
  'GET /api/librechat/auth': () => ({ path: '/api/librechat/auth' }),
  'POST /api/librechat/auth': () => ({ path: '/api/librechat/auth' }),
  'POST /api/librechat/refresh': () => ({ path: '/api/librechat/refresh' }),
  'POST /api/librechat/logout': () => ({ path: '/api/librechat/logout' }),
  'GET /api/auth/verify': () => ({ path: '/api/auth/verify' }),
  'GET /v1/forward-auth': () => ({ path: '/v1/forward-auth' }),
  'GET /v1/forward-auth/page': () => ({ path: '/v1/forward-auth/page' }),
  'GET /v1/handoff': () => ({ path: '/v1/handoff?token=none&org=none' }),
  'POST /v1/handoff': () => ({ path: '/v1/handoff', json: { token: 'none', org: 'none' } }),
  'GET /.well-known/jwks.json': () => ({ path: '/.well-known/jwks.json' }),
  'POST /v1/tokens': ({ userId }) => ({ path: '/v1/tokens', json: { user_id: userId } }),
  'POST /oauth/introspect': () => ({ path: '/oauth/introspect', json: { token: 'nonsense' } }),
  'POST /oauth/revoke': () => ({ path: '/oauth/revoke', json: { token: 'nonsense' } }),
  'GET /v1/sessions': () => ({ path: '/v1/sessions' }),
  'DELETE /v1/sessions/{id}': async (target) => ({ path: `/v1/sessions/${await sessionOf(target)}` }),
  'DELETE /v1/users/{id}/sessions': async (target) => {
    await sessionOf(target)
    return { path: `/v1/users/${target.userId}/sessions` }
  },
  'POST /v1/events': (target) => ({
    path: '/v1/events',
    json: target.isCallerAUser ? chatStarted(target) : usageEvent(target.organizationId, target.userId),
  }),
  'GET /v1/organizations/{id}/quota': ({ organizationId }) => ({ path: `/v1/organizations/${organizationId}/quota` }),
  'PUT /v1/organizations/{id}/quota': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/quota`,
    json: { limit: 1_000 },
  }),
  'DELETE /v1/organizations/{id}/quota': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/quota`,
  }),
  'GET /v1/organizations/{id}/users/{user}/quota': ({ organizationId, userId }) => ({
    path: `/v1/organizations/${organizationId}/users/${userId}/quota`,
  }),
  'PUT /v1/organizations/{id}/users/{user}/quota': ({ organizationId, userId }) => ({
    path: `/v1/organizations/${organizationId}/users/${userId}/quota`,
    json: { limit: 1_000_000 },
  }),
  'DELETE /v1/organizations/{id}/users/{user}/quota': ({ organizationId, userId }) => ({
    path: `/v1/organizations/${organizationId}/users/${userId}/quota`,
  }),
  'GET /v1/organizations/{id}/users/default/quota': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/users/default/quota`,
  }),
  'PUT /v1/organizations/{id}/users/default/quota': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/users/default/quota`,
    // What is set as it was is no act.
    json: { limit: nextLimit++ },
  }),
  'GET /v1/organizations/{id}/grants': ({ organizationId }) => ({ path: `/v1/organizations/${organizationId}/grants` }),
  'POST /v1/organizations/{id}/grants': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/grants`,
    json: { amount: 5, reason: 'test', idempotency_key: randomUUID() },
  }),
  'POST /v1/organizations/{id}/grants/{grant}/void': async (target) => ({
    path: `/v1/organizations/${target.organizationId}/grants/${await grantOf(target)}/void`,
    json: { reason: 'test' },
  }),
  'POST /v1/organizations/{id}/enforcement': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/enforcement`,
    json: { action: 'clear', reason: 'test' },
  }),
  'POST /v1/organizations/{id}/users/{user}/enforcement': ({ organizationId, userId }) => ({
    path: `/v1/organizations/${organizationId}/users/${userId}/enforcement`,
    json: { action: 'clear', reason: 'test' },
  }),
  'GET /v1/organizations/{id}/decisions': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/decisions`,
  }),
  'GET /v1/organizations/{id}/decisions/{decision}': async (target) => ({
    path: `/v1/organizations/${target.organizationId}/decisions/${await decisionOf(target)}`,
  }),
  'POST /v1/reservations': ({ organizationId, userId }) => ({
    path: '/v1/reservations',
    json: { organization_id: organizationId, user_id: userId, session_id: 'chat-1', total_tokens: 5 },
  }),
  'POST /v1/reservations/{id}/commit': async (target) => ({
    path: `/v1/reservations/${await holdOf(target)}/commit`,
    json: usageEvent(target.organizationId, target.userId),
  }),
  'POST /v1/reservations/{id}/release': async (target) => ({
    path: `/v1/reservations/${await holdOf(target)}/release`,
  }),
  'GET /v1/organizations/{id}/webhooks': (target) => ({ path: webhooksOf(target) }),
  'POST /v1/organizations/{id}/webhooks': (target) => ({
    path: webhooksOf(target),
    json: { url: 'https://hooks.example.com/', types: ['quota.revoked'] },
  }),
  'DELETE /v1/organizations/{id}/webhooks/{webhook}': async (target) => ({ path: await webhookOf(target) }),
  'POST /v1/organizations/{id}/webhooks/{webhook}/rotate': async (target) => ({
    path: `${await webhookOf(target)}/rotate`,
    json: {},
  }),
  'GET /v1/organizations/{id}/webhooks/{webhook}/deliveries': async (target) => ({
    path: `${await webhookOf(target)}/deliveries`,
  }),
  'POST /v1/organizations/{id}/webhooks/{webhook}/deliveries/{delivery}/replay': async (target) => ({
    path: `${await deliveryOf(target)}/replay`,
  }),
  'GET /v1/organizations/{id}/usage': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/usage?start=2026-01-01&end=2026-02-01`,
  }),
  'GET /v1/organizations/{id}/sessions': ({ organizationId }) => ({
    path: `/v1/organizations/${organizationId}/sessions?start=2026-01-01&end=2026-02-01`,
  }),
  'GET /v1/keys': ({ organizationId }) => ({ path: `/v1/keys?organization_id=${organizationId}` }),
  'POST /v1/keys': ({ organizationId }) => ({
    path: '/v1/keys',
    json: { name: randomUUID(), scopes: ['usage:read'], organization_id: organizationId },
  }),
  'POST /v1/keys/{id}/rotate': async (target) => ({ path: `/v1/keys/${await keyOf(target)}/rotate`, json: {} }),
  'DELETE /v1/keys/{id}': async (target) => ({ path: `/v1/keys/${await keyOf(target)}` }),
  'GET /v1/audit': ({ organizationId }) => ({ path: `/v1/audit?organization_id=${organizationId}` }),
}
