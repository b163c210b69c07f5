import type { z } from 'zod'
import type { ReducedConfig } from './librechat-config.ts'
import type { percentStep, QuotaPolicy } from './quota-policy.ts'

/** A policy whose steps are shares of the limit alone. */
interface PercentPolicy extends QuotaPolicy {
  downgrade_to: ReducedConfig
  steps: z.infer<typeof percentStep>[]
}

/** What holds where nobody chose (in a file that needs no zod, for pages): warn at 50, 80 and 90 %, downgrade at 100 %, revoke at 120 %. */
export const DEFAULT_QUOTA_POLICY: PercentPolicy = {
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
