import type { ProblemError } from '@tollgate/shared/contracts'
import type { Refusal } from '../gate/check-access-token.ts'
import { explainRefusal } from '../gate/explain-refusal.ts'
import type { Positions } from './open-positions.ts'
import type { HeaderSink } from './rate-limit-headers.ts'

/**
 * The problem of a refusal. The answer gets the RateLimit headers where an enforcement state is the reason; whoever shows a
 * credential that is no longer good learns nothing of its organization.
 */
export function refuseWithPosition(refusal: Refusal, reply: HeaderSink, showPosition: Positions['show']): ProblemError {
  if (refusal.enforcement !== undefined) showPosition(reply, refusal.enforcement.organization_id)
  return explainRefusal(refusal)
}
