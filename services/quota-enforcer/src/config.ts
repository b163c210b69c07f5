import { boolean, positiveInteger, secrets, serviceEnv } from '@tollgate/shared/config'
import { z } from 'zod'

/** The environment of quota-enforcer. */
export const quotaEnforcerEnv = serviceEnv({
  // One word: it becomes the first part of a Redis key and of a channel.
  REDIS_NAMESPACE: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/i, { error: 'must be letters, digits, - and _' })
    .default('tollgate'),
  // The longest that a lost wake-up, a changed limit or the end of a period goes unnoticed.
  SWEEP_INTERVAL_MS: positiveInteger()
    .refine((ms) => ms >= 50 && ms <= 60_000, { error: 'must lie between 50 and 60000' })
    .prefault('2000'),
  // Optional: what the database says stays. `observe` records decisions and refuses nothing.
  ENFORCEMENT_MODE: z.enum(['enforce', 'observe']).optional(),
  // Whether notifications may go to http URLs and to addresses that are not public.
  WEBHOOKS_ALLOW_PRIVATE: boolean().prefault('false'),
  // Keys that webhook secrets are sealed with in the database: the first seals, all open. The token API has the same.
  WEBHOOK_SECRET_KEYS: secrets().prefault(''),
})

/** Whether decisions take effect or are recorded alone. */
export type EnforcementMode = NonNullable<QuotaEnforcerConfig['ENFORCEMENT_MODE']>

/** What quota-enforcer is told by its environment. */
export type QuotaEnforcerConfig = z.output<typeof quotaEnforcerEnv>
