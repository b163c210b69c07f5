import { z } from 'zod'
import { reducedConfig } from './librechat-config.ts'
import { quotaPolicy } from './quota-policy.ts'
import { bigintText } from './text.ts'

/** Enforcement state of an organization, from free to closed. */
export const ENFORCEMENT_STATES = ['active', 'warned', 'downgraded', 'revoked'] as const
export const enforcementState = z.enum(ENFORCEMENT_STATES)
export type EnforcementState = z.infer<typeof enforcementState>

/** Largest monthly limit, in LLM tokens: sums stay exact in a double. */
export const MAX_LIMIT_TOKENS = 2 ** 52

/** Body of `PUT /v1/organizations/{id}/quota`; `limit: null` is unlimited, an absent policy stays as it is. */
export const quotaChange = z.strictObject({
  limit: z.number().int().nonnegative().max(MAX_LIMIT_TOKENS).nullable(),
  policy: quotaPolicy.optional(),
})
export type QuotaChange = z.infer<typeof quotaChange>

/** Answer of `GET /v1/organizations/{id}/quota`; amounts are LLM tokens of the current period. */
export const quotaReport = z.object({
  period: z.object({ start: z.string(), end: z.string(), time_zone: z.string() }),
  limit: z.number().int().nullable(),
  used: z.number().int(),
  reserved: z.number().int(),
  remaining: z.number().int().nullable(),
  state: enforcementState,
  version: z.number().int(),
  reason: z.string().nullable(),
  decision_id: z.string().nullable(),
  as_of: z.string(),
})
export type QuotaReport = z.infer<typeof quotaReport>

/**
 * An organization's enforcement as it is published (Redis hash and pub/sub) and held by each gate.
 * `revision` rises with every change of the row and orders messages; `version` rises only when issued
 * access tokens become stale.
 */
export const enforcement = z.object({
  organization_id: z.string(),
  state: enforcementState,
  version: z.number().int().nonnegative(),
  revision: bigintText,
  reason: z.string().nullable(),
  decision_id: z.string().nullable(),
  period_end: z.string(),
  reduced_config: reducedConfig.nullable(),
})
export type Enforcement = z.infer<typeof enforcement>
