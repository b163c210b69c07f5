import {
  newWebhookReport,
  ProblemError,
  uuid,
  webhookDelivery,
  webhookOwner,
  webhookReport,
  webhookRotation,
} from '@tollgate/shared/contracts'
import { z } from 'zod'
import type { CallerAccess } from '../access/identify-caller.ts'
import { identifyWebhookOwner } from '../access/identify-webhook-owner.ts'
import type { Store } from '../bind-store.ts'
import type { ActOf } from '../manners/act.ts'
import type { MakeSecret } from '../webhooks/make-secret.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the routes need. */
export interface ManageWebhooks {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listWebhooks' | 'removeWebhook' | 'rotateWebhook'>
  readonly actOf: ActOf
  readonly makeSecret: MakeSecret
}

/** What the routes of the log need. */
export interface WebhookDeliveries {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listDeliveries' | 'replayDelivery'>
}

const BASE = '/v1/organizations/:id/webhooks'
const params = z.object({ id: webhookOwner, webhook: uuid })
const page = z.strictObject({
  before: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(), // from the newest
  limit: z.coerce.number().int().min(1).max(500).default(100),
})

/** `GET`, `DELETE` and rotation of endpoints. */
export function manageWebhooks(app: App, { access, store, actOf, makeSecret }: ManageWebhooks): void {
  const list = {
    summary: 'The endpoints of an organization, newest first',
    security: bearer,
    params: z.object({ id: webhookOwner }),
    response: { 200: z.object({ webhooks: z.array(webhookReport) }), ...problems(400, 401, 403, 503) },
  }
  app.get(BASE, { schema: list }, async (request) => {
    const { organization_id } = await identifyWebhookOwner(request.headers.authorization, request.params.id, access)
    return { webhooks: await store.listWebhooks({ organization_id }) }
  })
  const remove = {
    summary: 'Remove an endpoint; what was not delivered yet is given up',
    security: bearer,
    params,
    response: { 200: webhookReport, ...problems(400, 401, 403, 404, 503) },
  }
  app.delete(`${BASE}/:webhook`, { schema: remove }, async (request) => {
    const { id, webhook } = request.params
    const owner = await identifyWebhookOwner(request.headers.authorization, id, access)
    return known(await store.removeWebhook({ ...owner, id: webhook }))
  })
  const rotate = {
    summary: 'Give an endpoint a new secret; for the overlap deliveries bear the signatures of both',
    security: bearer,
    params,
    // A client without wishes sends no body.
    body: webhookRotation.nullish(),
    response: { 201: newWebhookReport, ...problems(400, 401, 403, 404, 413, 415, 503) },
  }
  app.post(`${BASE}/:webhook/rotate`, { schema: rotate }, async (request, reply) => {
    const { id, webhook } = request.params
    const owner = await identifyWebhookOwner(request.headers.authorization, id, access)
    const { secret, sealed_secret } = makeSecret(webhook, actOf(request).randomBytes)
    const wishes = request.body ?? webhookRotation.parse({})
    const rotated = known(await store.rotateWebhook({ ...owner, id: webhook, sealed_secret, ...wishes }))
    return reply.code(201).send({ ...rotated, secret })
  })
}

/** The delivery log of an endpoint, and replay. */
export function webhookDeliveries(app: App, { access, store }: WebhookDeliveries): void {
  const list = {
    summary: 'What was sent to an endpoint, newest first',
    description: 'Pages: hand the `next` of an answer back as `before`.',
    security: bearer,
    params,
    querystring: page,
    response: {
      200: z.object({ deliveries: z.array(webhookDelivery), next: z.string().nullable() }),
      ...problems(400, 401, 403, 503),
    },
  }
  app.get(`${BASE}/:webhook/deliveries`, { schema: list }, async (request) => {
    const { id, webhook: endpoint_id } = request.params
    const { organization_id } = await identifyWebhookOwner(request.headers.authorization, id, access)
    const { limit, before } = request.query
    const deliveries = await store.listDeliveries({ organization_id, endpoint_id, before, max_rows: limit })
    return { deliveries, next: deliveries.length === limit ? (deliveries.at(-1)?.cursor ?? null) : null }
  })
  const replay = {
    summary: 'Send a delivery once more, with the same webhook-id',
    security: bearer,
    params: params.extend({ delivery: uuid }),
    response: { 202: webhookDelivery, ...problems(400, 401, 403, 404, 503) },
  }
  app.post(`${BASE}/:webhook/deliveries/:delivery/replay`, { schema: replay }, async (request, reply) => {
    const { id, webhook: endpoint_id, delivery } = request.params
    const owner = await identifyWebhookOwner(request.headers.authorization, id, access)
    return reply.code(202).send(known(await store.replayDelivery({ ...owner, endpoint_id, id: delivery })))
  })
}

// The same answer for an endpoint of somebody else: nobody can try out ids.
function known<Row>(row: Row | undefined): Row {
  if (row !== undefined) return row
  throw new ProblemError('not-found', 'There is no such endpoint or delivery.')
}
