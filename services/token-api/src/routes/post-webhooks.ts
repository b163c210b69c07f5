import { newWebhookReport, ProblemError, webhookOwner, webhookRequest } from '@tollgate/shared/contracts'
import { readTarget, TargetError } from '@tollgate/shared/webhooks'
import { z } from 'zod'
import type { CallerAccess } from '../access/identify-caller.ts'
import { identifyWebhookOwner } from '../access/identify-webhook-owner.ts'
import type { Store } from '../bind-store.ts'
import type { ActOf } from '../manners/act.ts'
import type { MakeSecret } from '../webhooks/make-secret.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostWebhooks {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'createWebhook'>
  /** Whether http and addresses that are not public may be named. */
  readonly allowPrivate: boolean
  readonly actOf: ActOf
  readonly makeSecret: MakeSecret
}

/** `POST /v1/organizations/{id}/webhooks`: an endpoint that is told; its secret is in this answer and nowhere else. */
export function postWebhooks(app: App, { access, store, allowPrivate, actOf, makeSecret }: PostWebhooks): void {
  const schema = {
    summary: 'Have an endpoint told of thresholds, downgrades, revocations, restorations, grants and ended periods',
    description:
      'Deliveries are signed (Standard Webhooks). The answer holds the secret; it is not shown again. `all` in place of the id: of every organization, for the operator.',
    security: bearer,
    params: z.object({ id: webhookOwner }),
    body: webhookRequest,
    response: { 201: newWebhookReport, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
  }
  app.post('/v1/organizations/:id/webhooks', { schema }, async (request, reply) => {
    const owner = await identifyWebhookOwner(request.headers.authorization, request.params.id, access)
    const url = readUrl(request.body.url, allowPrivate)
    const { id, randomBytes } = actOf(request)
    const { secret, sealed_secret } = makeSecret(id, randomBytes)
    const types = [...new Set(request.body.types)].sort()
    const created = await store.createWebhook({ ...owner, id, url, types, sealed_secret })
    if (created === undefined) throw new ProblemError('not-found', 'There is no such organization.')
    if (created.refusal !== null) {
      throw new ProblemError('conflict', 'There are as many endpoints as there may be: remove one first.', {
        extensions: { reason: 'too_many_webhooks' },
      })
    }
    const { refusal: _, ...endpoint } = created
    return reply.code(201).send({ ...endpoint, secret })
  })
}

function readUrl(text: string, allowPrivate: boolean): string {
  try {
    return readTarget(text, allowPrivate).href
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    throw new ProblemError('bad-request', error.message, { extensions: { reason: 'url_not_allowed' } })
  }
}
