import { z } from 'zod'
import { reducedConfig } from './librechat-config.ts'
import { bigintText } from './text.ts'

/** Enforcement state of an organization, from free to closed. */
export const ENFORCEMENT_STATES = ['active', 'warned', 'downgraded', 'revoked'] as const
export const enforcementState = z.enum(ENFORCEMENT_STATES)
export type EnforcementState = z.infer<typeof enforcementState>

/** One step of a quota policy: at `at_percent` of the limit and above, the organization is in `state`. */
export const quotaStep = z.strictObject({
  at_percent: z.number().int().min(1).max(1000),
  state: z.enum(['warned', 'downgraded', 'revoked']),
})
export type QuotaStep = z.infer<typeof quotaStep>

/** A ladder of steps and what a downgrade leaves. */
export const quotaPolicy = z.strictObject({
  steps: z.array(quotaStep).max(20),
  downgrade_to: reducedConfig,
})
export type QuotaPolicy = z.infer<typeof quotaPolicy>

/** What holds where nobody chose: warn at 50, 80 and 90 %, downgrade at 100 %, revoke at 120 %. */
export const DEFAULT_QUOTA_POLICY: QuotaPolicy = {
  steps: [
    { at_percent: 50, state: 'warned' },
    { at_percent: 80, state: 'warned' },
    { at_percent: 90, state: 'warned' },
    { at_percent: 100, state: 'downgraded' },
    { at_percent: 120, state: 'revoked' },
  ],
  downgrade_to: {
    features: { file_upload: false, image_generation: false, voice_chat: false, code_interpreter: false },
  },
}

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
