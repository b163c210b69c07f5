import { z } from 'zod'
import { boundedText, uuid } from './text.ts'

/** What endpoints are told of. */
export const WEBHOOK_TYPES = [
  'quota.threshold',
  'quota.downgraded',
  'quota.revoked',
  'quota.restored',
  'quota.granted',
  'quota.grant_voided',
  'period.ended',
] as const

const MAX_OVERLAP_SECONDS = 30 * 86_400
const time = z.string()

/** In place of an organization's id: the operator's endpoints, which are told of every organization. */
export const EVERY_ORGANIZATION = 'all'
export const webhookOwner = z.union([uuid, z.literal(EVERY_ORGANIZATION)])

/** Body of `POST /v1/organizations/{id}/webhooks`. */
export const webhookRequest = z.strictObject({
  url: boundedText(2_000),
  types: z.array(z.enum(WEBHOOK_TYPES)).max(WEBHOOK_TYPES.length).default([]), // none: all
})

/** Body of `POST …/webhooks/{webhook}/rotate`; for the overlap a delivery bears the signatures of both secrets. */
export const webhookRotation = z.strictObject({
  overlap_seconds: z.number().int().min(0).max(MAX_OVERLAP_SECONDS).default(86_400),
})

/** An endpoint as it is shown. */
export const webhookReport = z.object({
  id: z.string(),
  organization_id: z.string().nullable(),
  url: z.string(),
  types: z.array(z.string()),
  created_by: z.string(),
  created_at: time,
  previous_until: time.nullable(), // until when the secret before the last rotation signs too
  disabled_at: time.nullable(),
})
export type WebhookReport = z.infer<typeof webhookReport>

/** The same with its secret, which is shown this once and never again. */
export const newWebhookReport = webhookReport.extend({ secret: z.string() })

/** A delivery as it is shown; its id is the `webhook-id` of every attempt. */
export const webhookDelivery = z.object({
  id: z.string(),
  endpoint_id: z.string(),
  organization_id: z.string(),
  type: z.string(),
  payload: z.record(z.string(), z.unknown()),
  created_at: time,
  state: z.enum(['pending', 'delivered', 'dead']),
  next_attempt_at: time.nullable(),
  attempts: z.number().int(),
  last_status: z.number().int().nullable(),
  last_error: z.string().nullable(),
  delivered_at: time.nullable(),
  log: z.array(z.object({ at: time, status: z.number().int().nullable(), error: z.string().nullable() })),
  cursor: z.string(),
})
export type WebhookDelivery = z.infer<typeof webhookDelivery>
