import { z } from 'zod'
import { MAX_LIMIT_TOKENS } from './quota.ts'
import { quotaPolicy } from './quota-policy.ts'
import { boundedText, instant } from './text.ts'

const reason = boundedText(500)
const time = z.string()

/** Body of `POST /v1/organizations/{id}/grants`. */
export const grantOrder = z.strictObject({
  /** LLM tokens on top of the monthly limit. */
  amount: z.number().int().min(1).max(MAX_LIMIT_TOKENS),
  // Optional: 100. Among grants that expire together the lowest number is spent first.
  priority: z.number().int().min(0).max(1_000_000).optional(),
  // Optional: it never expires.
  expires_at: instant.optional(),
  reason,
  /** The same key gives once, however often the request is repeated. */
  idempotency_key: boundedText(200),
})

/** Body of `POST /v1/organizations/{id}/grants/{grant}/void`. */
export const grantVoid = z.strictObject({ reason })

/** A grant as the API shows it; `left` is null once it is spent, has expired or was voided. */
export const grantReport = z.object({
  id: z.string(),
  amount: z.number().int(),
  left: z.number().int().nullable(),
  priority: z.number().int(),
  expires_at: time.nullable(),
  reason: z.string(),
  actor: z.string(),
  created_at: time,
  closed_at: time.nullable(),
  // Null: it was not. Absent in the answer of an older release.
  voided_at: time.nullable().optional(),
  voided_by: z.string().nullable().optional(),
  void_reason: z.string().nullable().optional(),
})

/** A voided grant with the LLM tokens that it had given by then. */
export const voidedGrantReport = grantReport.extend({ spent: z.number().int() })

/** Body of `POST /v1/organizations/{id}/enforcement`. `exempt` needs its end. */
export const enforcementOrder = z
  .strictObject({
    /** `restore` forgives what was used by now; `clear` takes back what was ordered, so that the ladder alone decides. */
    action: z.enum(['revoke', 'downgrade', 'restore', 'exempt', 'clear']),
    // Optional: until it is taken back; `restore` until the period ends.
    until: instant.optional(),
    reason,
  })
  .refine(({ action, until }) => action !== 'exempt' || until !== undefined, {
    path: ['until'],
    error: 'an exemption needs its end',
  })

/** A decision as the API shows it; `inputs` is what it was decided from. */
export const decisionReport = z.object({
  id: z.string(),
  cursor: z.string(),
  user_id: z.string().nullable(),
  kind: z.enum(['change', 'act']),
  decided_at: time,
  // Earlier than decided, where what was taken away before had lapsed with its period; null: as it was decided. Absent in the
  // answer of an older release.
  effective_at: time.nullable().optional(),
  from_state: z.string(),
  to_state: z.string(),
  version: z.number().int(),
  reason: z.string(),
  observed: z.unknown(),
  actor: z.string(),
  inputs: z.record(z.string(), z.unknown()),
})

/** Body of `PUT /v1/organizations/{id}/users/{user}/quota`; `limit: null` leaves the organization's limit alone. */
export const userQuotaChange = z.strictObject({
  limit: z.number().int().nonnegative().max(MAX_LIMIT_TOKENS).nullable(),
  // Optional: as it is. `null` drops it: that of the default for users holds, else the default ladder. Chat sessions are limited
  // by the organization's policy alone.
  policy: quotaPolicy.omit({ session_max_tokens: true }).nullable().optional(),
})

/** Body of `PUT /v1/organizations/{id}/users/default/quota`. */
export const userDefaultChange = userQuotaChange.extend({
  /** Version of the default that the change was made from (0: never set); refused where it is another by now. */
  version: z.number().int().nonnegative().optional(),
})

/** Answer of `…/users/default/quota`: the limit of each user without an own one; `limit: null` is none, `policy: null` the default ladder. */
export const userDefault = z.object({
  limit: z.number().int().nullable(),
  policy: quotaPolicy.nullable(),
  version: z.number().int(), // 0: never set
  updated_by: z.string().nullable(),
  updated_at: time.nullable(),
})
