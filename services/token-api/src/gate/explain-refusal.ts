import { type Enforcement, ProblemError } from '@tollgate/shared/contracts'
import { toUtc } from '../quota/to-utc.ts'
import type { Refusal } from './check-access-token.ts'

const SENTENCES = {
  missing: 'Send an access token as "Authorization: Bearer <token>".',
  malformed: 'The credential is not an access token of this service.',
  bad_signature: 'The signature of the access token is not good.',
  expired: 'The access token has expired; sign in or refresh.',
  revoked: 'The access token was revoked.',
  session_ended: 'The login session of the access token has ended.',
  gate_unavailable: 'Whether the organization has access cannot be told at present; try again in a second.',
} as const

/** Turns a refusal into the problem that explains it to whoever holds the token. */
export function explainRefusal({ reason, enforcement }: Refusal): ProblemError {
  if (reason === 'organization_revoked' || reason === 'user_revoked' || reason === 'superseded') {
    return explainEnforcement(reason, enforcement)
  }
  if (reason === 'gate_unavailable') {
    return new ProblemError('unavailable', SENTENCES[reason], { extensions: { reason }, retryAfterSeconds: 1 })
  }
  return new ProblemError('token-refused', SENTENCES[reason], { extensions: { reason } })
}

/** The problem of a revoked organization or user, from the row of a login. */
export function explainRevocation(login: ExplainedState & { readonly is_user_revoked: boolean }): ProblemError {
  return explainEnforcement(login.is_user_revoked ? 'user_revoked' : 'organization_revoked', login)
}

type ExplainedState = Pick<Enforcement, 'state' | 'reason' | 'decision_id'> & { readonly period_end: string | null }

function explainEnforcement(
  reason: 'organization_revoked' | 'user_revoked' | 'superseded',
  enforcement: ExplainedState | undefined,
): ProblemError {
  const end = endOf(enforcement)
  const why = enforcement?.reason ? ` Reason on record: ${enforcement.reason}.` : ''
  const extensions = {
    reason,
    state: enforcement?.state,
    decision_id: enforcement?.decision_id,
    period_end: end,
  }
  if (reason === 'superseded') {
    const detail = `What the organization may use has changed since this access token was issued: get a new one.${why}`
    return new ProblemError('token-refused', detail, { extensions })
  }
  const who = reason === 'user_revoked' ? 'user' : 'organization'
  return new ProblemError(
    `${who}-revoked`,
    `The ${who} has no access${describeEnd(who, enforcement?.reason, end)}.${why}`,
    {
      extensions,
    },
  )
}

// What Redis holds may be no time: then it is shown as it is.
function endOf(enforcement: ExplainedState | undefined): string | null | undefined {
  const end = enforcement?.period_end
  return end && !Number.isNaN(Date.parse(end)) ? toUtc(end) : end
}

// What somebody ordered by hand ends with no period.
function describeEnd(who: string, reason: string | null | undefined, end: string | null | undefined): string {
  if (reason === 'manual_revoke') return ': it was revoked by hand, until that is taken back or ends'
  return `${end ? ` until ${end}` : ''}, unless the ${who}'s limit is raised`
}
