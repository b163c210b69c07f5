import type { Scenario } from '../scenario.ts'
import { enforcement } from './enforcement.ts'
import { forwardAuth } from './forward-auth.ts'
import { holdFaults } from './hold-faults.ts'
import { ledgerSize } from './ledger-size.ts'
import { redisAway } from './redis-away.ts'
import { reports } from './reports.ts'
import { reservations } from './reservations.ts'
import { revocation } from './revocation.ts'
import { storeTransports } from './store-transports.ts'
import { tokens } from './tokens.ts'
import { usagePipeline } from './usage-pipeline.ts'
import { usageVisibility } from './usage-visibility.ts'
import { verify } from './verify.ts'

/** All scenarios, in the order in which they run. A new one is a file and a line here. */
export const SCENARIOS: readonly Scenario[] = [
  usagePipeline,
  usageVisibility,
  enforcement,
  verify,
  forwardAuth,
  reservations,
  holdFaults,
  tokens,
  revocation,
  storeTransports,
  redisAway,
  // The last two leave a large ledger, and rollups without one, behind.
  ledgerSize,
  reports,
]
