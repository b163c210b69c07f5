import { ProblemError, reservationAnswer, reservationRequest } from '@tollgate/shared/contracts'
import type { PositionRow, RpcRow } from '@tollgate/shared/store'
import type { Refusal } from '../gate/check-access-token.ts'
import type { GatedClaims, GateVerdict } from '../gate/gate.ts'
import type { AuthenticateServiceKey } from '../ingest/authenticate-service-key.ts'
import type { CheckMembership } from '../ingest/check-membership.ts'
import type { Positions } from '../quota/open-positions.ts'
import { setRateLimit } from '../quota/rate-limit-headers.ts'
import { refuseWithPosition } from '../quota/refuse-with-position.ts'
import { authorizeHolds } from '../reservations/authorize-holds.ts'
import { explainUnheld } from '../reservations/explain-hold.ts'
import type { Holds } from '../reservations/open-holds.ts'
import { readIdempotencyKey } from '../reservations/read-idempotency-key.ts'
import { type App, bearer, problems, writeAsTyped } from './typed-app.ts'

/** What the route needs. */
export interface PostReservations {
  readonly authenticateKey: AuthenticateServiceKey
  readonly checkMembership: CheckMembership
  /** Judges an organization and user as the gate does. */
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly reserve: Holds['reserve']
  readonly showPosition: Positions['show']
  /** Told where the organization stands now. */
  readonly onPosition: (position: PositionRow) => void
  readonly onOutcome: (outcome: RpcRow<'reserve_tokens'>['outcome']) => void
  readonly now: () => number
  readonly newId: () => string
}

/** `POST /v1/reservations`: holds LLM tokens for a call that is about to begin, or says why not. */
export function postReservations(app: App, dependencies: PostReservations): void {
  const schema = {
    summary: 'Hold LLM tokens before a call',
    security: bearer,
    body: reservationRequest,
    response: { 201: reservationAnswer, ...problems(400, 401, 403, 413, 415, 422, 429, 503) },
  }
  app.post('/v1/reservations', { schema, serializerCompiler: writeAsTyped }, async (request, reply) => {
    const key = await authorizeHolds(request.headers.authorization, dependencies.authenticateKey)
    await requireMember(request.body, key.organization_id, dependencies.checkMembership)
    const refusal = findGateRefusal(request.body, dependencies.judge)
    if (refusal !== undefined) throw refuseWithPosition(refusal, reply, dependencies.showPosition)
    const row = await dependencies.reserve({
      ...request.body,
      id: dependencies.newId(),
      idempotency_key: readIdempotencyKey(request.headers['idempotency-key']),
    })
    dependencies.onOutcome(row.outcome)
    if (row.outcome === 'held' || row.outcome === 'refused' || row.outcome === 'closed') {
      dependencies.onPosition(row)
      setRateLimit(reply, row, dependencies.now())
    }
    if (row.outcome !== 'held') throw explainUnheld(row, request.body.total_tokens, dependencies.now())
    return reply.code(201).send({
      id: row.id,
      total_tokens: Number(row.total_tokens),
      expires_at: new Date(row.expires_at).toISOString(),
      remaining: row.remaining_tokens === null ? null : Number(row.remaining_tokens),
      state: row.state,
    })
  })
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
  judge: PostReservations['judge'],
): Refusal | undefined {
  const anyToken = { sub: user_id, ver: Number.MAX_SAFE_INTEGER, jti: '', sid: '' }
  const verdict = judge({ ...anyToken, organization: { id: organization_id } })
  return verdict.accepted ? undefined : verdict
}
