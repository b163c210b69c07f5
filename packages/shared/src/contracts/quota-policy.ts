import { z } from 'zod'
import { reducedConfig } from './librechat-config.ts'
import { boundedText, moneyText } from './text.ts'

const MAX_GRACE_SECONDS = 7 * 86_400

/** A monthly amount of US dollars, exact. */
const amountUsd = moneyText.refine((text) => !text.startsWith('-'), 'must not be negative')

/** A narrowed config, or the name of one in `reduced_configs` of the policy, the plan or the installation. */
const reduction = z.union(
  [reducedConfig, boundedText(64)],
  'must be a reduced config (enabled_models, allowed_endpoints, features), or the name of one in reduced_configs',
)

const consequence = {
  state: z.enum(['warned', 'downgraded', 'revoked']),
  // Optional: hard. A soft step is recorded and notified, and refuses nothing.
  mode: z.enum(['hard', 'soft']).optional(),
  // Optional: none. What is under way may be finished before the step takes effect.
  grace_seconds: z.number().int().min(0).max(MAX_GRACE_SECONDS).optional(),
  // Optional: what the policy's downgrades leave.
  downgrade_to: reduction.optional(),
}

/** A step at a percentage of each limit that the policy has: LLM tokens and, if set, US dollars. */
export const percentStep = z.strictObject({ at_percent: z.number().int().min(1).max(1000), ...consequence })

const tokensStep = z.strictObject({
  at_tokens: z
    .number()
    .int()
    .nonnegative()
    .max(2 ** 52),
  ...consequence,
})
const usdStep = z.strictObject({ at_usd: amountUsd, ...consequence })

/** One step of a quota policy: from its amount up, the organization or user is in `state`. */
export const quotaStep = z.union(
  [percentStep, tokensStep, usdStep],
  'must have a state (warned, downgraded, revoked) and one of at_percent, at_tokens and at_usd; it may have mode, grace_seconds, downgrade_to',
)
export type QuotaStep = z.infer<typeof quotaStep>

/** A ladder of steps, what a downgrade leaves, and the limits beside the monthly LLM tokens. */
export const quotaPolicy = z.strictObject({
  steps: z.array(quotaStep).max(20),
  downgrade_to: reduction,
  // Optional: the named configs that `downgrade_to` may speak of.
  reduced_configs: z.record(boundedText(64), reducedConfig).optional(),
  // Optional: no limit. What the period's usage may cost, as providers charge it.
  max_cost_usd: amountUsd.nullable().optional(),
  // Optional: no limit. LLM tokens of one chat session; looked at where a reservation names its session.
  session_max_tokens: z.number().int().nonnegative().nullable().optional(),
})
export type QuotaPolicy = z.infer<typeof quotaPolicy>
