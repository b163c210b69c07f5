import { ProblemError, type ReservationAnswer, type ReservationRequest } from '@tollgate/shared/contracts'
import type { Refusal } from '../gate/check-access-token.ts'
import type { GatedClaims, GateVerdict } from '../gate/gate.ts'
import type { ServiceKey } from '../ingest/authenticate-service-key.ts'
import type { CheckMembership } from '../ingest/check-membership.ts'
import type { Positions } from '../quota/open-positions.ts'
import { type HeaderSink, setRateLimit } from '../quota/rate-limit-headers.ts'
import { refuseWithPosition } from '../quota/refuse-with-position.ts'
import { toUtc } from '../quota/to-utc.ts'
import { explainUnheld } from './explain-hold.ts'
import type { Holds } from './open-holds.ts'
import type { HoldResult } from './share-positions.ts'

/** What holding stands on. */
export interface HoldOptions {
  readonly checkMembership: CheckMembership
  /** Judges an organization and user as the gate does. */
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly reserve: Holds['reserve']
  readonly showPosition: Positions['show']
  readonly onOutcome: (outcome: HoldResult['outcome']) => void
  readonly now: () => number
  readonly newId: () => string
}

/** A request to `POST /v1/reservations` that has been read. */
export interface HoldPost {
  readonly asked: ReservationRequest
  readonly key: ServiceKey
  readonly idempotencyKey?: string | undefined
}

/**
 * Holds LLM tokens for a call. The answer's RateLimit headers are set, whether it is a yes or a no, and Idempotency-Replayed
 * where the hold is that of an earlier request.
 * @throws ProblemError `forbidden`, `unavailable`, `organization-revoked`, `user-revoked`, `quota-exceeded`,
 *   `idempotency-key-reused`
 */
export async function hold(
  { asked, key, idempotencyKey }: HoldPost,
  reply: HeaderSink,
  options: HoldOptions,
): Promise<ReservationAnswer> {
  await requireMember(asked, key.organization_id, options.checkMembership)
  const refusal = findGateRefusal(asked, options.judge)
  if (refusal !== undefined) throw refuseWithPosition(refusal, reply, options.showPosition)
  const id = options.newId()
  const row = await options.reserve({ ...asked, id, idempotency_key: idempotencyKey })
  options.onOutcome(row.outcome)
  if ('position' in row) setRateLimit(reply, row.position, options.now())
  if (row.outcome !== 'held') throw explainUnheld(row, asked.total_tokens, options.now())
  if (row.id !== id) reply.header('idempotency-replayed', 'true')
  return {
    id: row.id,
    total_tokens: Number(row.total_tokens),
    expires_at: toUtc(row.expires_at),
    remaining: row.remaining_tokens === null ? null : Number(row.remaining_tokens),
    state: row.state,
  }
}

async function requireMember(
  asked: { organization_id: string; user_id: string },
  keyOrganizationId: string | null,
  checkMembership: CheckMembership,
): Promise<void> {
  if (keyOrganizationId !== null && keyOrganizationId !== asked.organization_id) {
    throw new ProblemError('forbidden', 'The key belongs to another organization.', {
      extensions: { reason: 'organization_not_allowed' },
    })
  }
  const [verdict] = await checkMembership([{ organizationId: asked.organization_id, userId: asked.user_id }])
  if (verdict !== undefined && 'reason' in verdict) {
    throw new ProblemError('forbidden', 'Nothing is held for this user in this organization.', {
      extensions: { reason: verdict.reason },
    })
  }
  if (verdict?.member !== true) {
    const detail = 'Whether the user belongs to the organization cannot be told at present.'
    throw new ProblemError('unavailable', detail, { retryAfterSeconds: 1 })
  }
}

/** Nothing is held for whom the gate refuses anyway, nor while it cannot tell. Postgres has the last word all the same. */
function findGateRefusal(
  { organization_id, user_id }: { organization_id: string; user_id: string },
  judge: HoldOptions['judge'],
): Refusal | undefined {
  const anyToken = { sub: user_id, ver: Number.MAX_SAFE_INTEGER, jti: '', sid: '' }
  const verdict = judge({ ...anyToken, organization: { id: organization_id } })
  return verdict.accepted ? undefined : verdict
}
