import { z } from 'zod'
import { ENFORCEMENT_STATES } from './enforcement-states.ts'
import { reducedConfig } from './librechat-config.ts'
import { quotaPolicy } from './quota-policy.ts'
import { bigintText, moneyText } from './text.ts'

export const enforcementState = z.enum(ENFORCEMENT_STATES)
export type EnforcementState = z.infer<typeof enforcementState>

/** Largest monthly limit, in LLM tokens: sums stay exact in a double. */
export const MAX_LIMIT_TOKENS = 2 ** 52

/** Name of a time zone, as IANA has them; offsets are refused, since PostgreSQL reads their sign the other way round. */
const timeZone = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/)
  .refine((zone) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== ''
    } catch {
      return false
    }
  }, 'must be a time zone of the IANA database')

/** When periods begin: at local midnight of `anchor_day` (31: the last day of shorter months), from the next period on. */
const periodRule = z.strictObject({ time_zone: timeZone, anchor_day: z.number().int().min(1).max(31) })

/** Body of `PUT /v1/organizations/{id}/quota`; `limit: null` is unlimited, what is absent stays as it is. */
export const quotaChange = z
  .strictObject({
    limit: z.number().int().nonnegative().max(MAX_LIMIT_TOKENS).nullable().optional(),
    policy: quotaPolicy.optional(),
    period: periodRule.optional(),
    /** `observe`: what would happen is recorded, and nothing refused. `null`: as the installation is set. */
    mode: z.enum(['enforce', 'observe']).nullable().optional(),
    /** Version of the own limit and ladder that the change was made from (0: none); refused where it is another by now. */
    policy_version: z.number().int().nonnegative().optional(),
  })
  .refine(({ policy_version, ...change }) => Object.keys(change).length > 0, 'must say what to change')
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
  // Absent in the report of an older release.
  granted: z.number().int().optional(),
  cost_usd: moneyText.optional(),
  mode: z.enum(['enforce', 'observe']).optional(),
  // Of a user alone: whose limit it is, the own one or the organization's default for its users; null: nobody set one.
  limit_from: z.enum(['user', 'default']).nullable().optional(),
})
export type QuotaReport = z.infer<typeof quotaReport>

/**
 * Enforcement of an organization, or of one of its users, as it is published (Redis hash and pub/sub) and held by each gate.
 * `epoch` and then `revision` order messages; `version` rises only when issued access tokens become stale.
 */
export const enforcement = z.object({
  organization_id: z.string(),
  // Absent or null: the organization itself.
  user_id: z.string().nullable().optional(),
  state: enforcementState,
  version: z.number().int().nonnegative(),
  // Absent in messages of an older release: the first one.
  epoch: z.number().int().positive().optional(),
  revision: bigintText,
  reason: z.string().nullable(),
  decision_id: z.string().nullable(),
  period_end: z.string(),
  // True: what the state takes away it takes until `period_end` alone, whether or not anybody decides then. Absent in
  // messages of an older release: it does not.
  lapses: z.boolean().optional(),
  reduced_config: reducedConfig.nullable(),
})
export type Enforcement = z.infer<typeof enforcement>

/** What holds for the whole installation, published like a state, in the hash under `CONTROL_FIELD`. */
export const enforcementControl = z.object({
  control: z.literal(true),
  paused: z.boolean(),
  epoch: z.number().int().positive(),
  /** Versions of this epoch lie above it: access tokens below are superseded. */
  version_floor: z.number().int().nonnegative(),
  revision: bigintText,
  decision_id: z.string().nullable(),
})
export type EnforcementControl = z.infer<typeof enforcementControl>

/**
 * The newest that a gate has ever been told, kept by gates beside the hash: who lost the hash and was restored to an
 * earlier point learns from it that there was more.
 */
export const enforcementSeen = z.object({ epoch: z.number().int().positive(), revision: bigintText })
export type EnforcementSeen = z.infer<typeof enforcementSeen>

/** Redis key of `enforcementSeen`, a hash. */
export const enforcementSeenKey = (namespace: string): string => `${namespace}:enforcement-seen`

/** Field of the Redis hash that holds `enforcementControl`; no organization has such an id. */
export const CONTROL_FIELD = 'control'

/** Field of the Redis hash that holds a state. */
export function enforcementField({
  organization_id,
  user_id,
}: Pick<Enforcement, 'organization_id' | 'user_id'>): string {
  return user_id ? `${organization_id}/${user_id}` : organization_id
}
