import { ProblemError } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { explainRevocation } from '../gate/explain-refusal.ts'
import { toUtc } from '../quota/to-utc.ts'
import type { HoldResult } from './share-positions.ts'

type Refused = Extract<HoldResult, { outcome: 'refused' }>
type Closed = Extract<HoldResult, { outcome: 'closed' }>
type EndRow = RpcRow<'commit_reservations'> | RpcRow<'release_reservations'>

/** The problem of a request for which nothing is held. */
export function explainUnheld(
  row: Exclude<HoldResult, { outcome: 'held' }>,
  asked: number,
  nowMs: number,
): ProblemError {
  switch (row.outcome) {
    case 'refused':
      return explainExceeded(row, asked, nowMs)
    case 'closed':
      return explainClosed(row)
    case 'conflict':
      return new ProblemError('idempotency-key-reused', 'The Idempotency-Key was used for another reservation.')
    case 'unknown_organization':
      return new ProblemError('forbidden', 'The organization is unknown or not open to this key.', {
        extensions: { reason: 'unknown_organization' },
      })
  }
}

function explainClosed({ refusal, decision_id, position }: Closed): ProblemError {
  const standing = { state: 'revoked', reason: refusal.reason, decision_id, period_end: position.period_end } as const
  return explainRevocation({ ...standing, is_user_revoked: refusal.scope === 'user' })
}

function explainExceeded(row: Refused, asked: number, nowMs: number): ProblemError {
  const { scope, limit_tokens, used_tokens, reserved_tokens } = row.refusal
  const [limit, used, reserved] = [Number(limit_tokens), Number(used_tokens), Number(reserved_tokens)]
  const remaining = Math.max(0, limit - used - reserved)
  const detail = `${asked} LLM tokens do not fit: the ${scope}'s limit of ${limit} has ${remaining} left.`
  return new ProblemError('quota-exceeded', detail, {
    extensions: {
      'violated-policies': ['monthly-tokens'],
      ...{ scope, limit, used, reserved, remaining, requested: asked },
      decision_id: row.decision_id,
      period_end: toUtc(row.position.period_end),
    },
    retryAfterSeconds: Math.max(1, Math.ceil((Date.parse(row.retry_at) - nowMs) / 1_000)),
  })
}

/** The problem of a commit or release that does not fit its hold. */
export function explainMisfit({ outcome, state }: EndRow): ProblemError {
  switch (outcome) {
    case 'unknown':
      return new ProblemError('not-found', 'There is no such reservation.')
    case 'mismatch':
      return new ProblemError('bad-request', 'The event is of another organization, user or session than the hold.', {
        extensions: { reason: 'reservation_mismatch' },
      })
    default:
      return new ProblemError('conflict', 'An event that was accepted before settles the reservation.', {
        extensions: { reason: 'reservation_closed', state },
      })
  }
}
